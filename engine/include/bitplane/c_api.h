/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <bitplane/engine.h> for C and for every language that calls C.
 *
 *   bitplane_model* model = NULL;
 *   bitplane_session* session = NULL;
 *   if (bitplane_model_load("net.safetensors", &model) != BITPLANE_OK) return fail(bitplane_last_message());
 *   if (bitplane_session_create(model, NULL, &session) != BITPLANE_OK) return fail(bitplane_last_message());
 *   bitplane_session_run_u8(session, pixels, pixel_bytes);
 *   bitplane_session_output(session, NULL, &logits, &count);
 *
 * Handles are opaque; a model may be freed while sessions of it live. A model may be used by several threads
 * at the same time, a session by one at a time. Every function takes NULL for every pointer: it then returns
 * BITPLANE_INVALID_ARGUMENT, 0 or NULL, and freeing NULL does nothing. An out pointer is written on success
 * only, but for a handle, which a failure sets to NULL. Nothing throws, aborts or prints. Texts are UTF-8.
 */
#ifndef BITPLANE_C_API_H
#define BITPLANE_C_API_H

#include <stddef.h>
#include <stdint.h>

#include "bitplane/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bitplane_model bitplane_model;
typedef struct bitplane_session bitplane_session;

typedef enum bitplane_status {
  BITPLANE_OK = 0,
  BITPLANE_NOT_FOUND = 1,        /* a file or a name that does not exist */
  BITPLANE_INVALID_ARGUMENT = 2, /* the caller's request makes no sense */
  BITPLANE_INVALID_FILE = 3,     /* truncated, corrupt or malformed input */
  BITPLANE_UNSUPPORTED = 4,      /* well-formed, but this version or CPU cannot do it */
  BITPLANE_OUT_OF_MEMORY = 5,
  BITPLANE_IO_ERROR = 6 /* the operating system refused */
} bitplane_status;

/* "ok", "not found", ...; "unknown" for other numbers. */
BITPLANE_API const char* bitplane_status_name(bitplane_status status);
/* One line on the last call of this thread that did not return BITPLANE_OK: what was wrong and what to do.
 * Valid until the thread's next call that fails; "" before the first. */
BITPLANE_API const char* bitplane_last_message(void);

typedef struct bitplane_shape {
  size_t height, width, channels;
} bitplane_shape;

/* A file: read, checked and then mapped, see Model::load() in engine.h. */
BITPLANE_API bitplane_status bitplane_model_load(const char* path, bitplane_model** model);
/* A file in memory; the bytes are copied. */
BITPLANE_API bitplane_status bitplane_model_load_bytes(const void* bytes, size_t size,
                                                       bitplane_model** model);
BITPLANE_API void bitplane_model_free(bitplane_model* model);

BITPLANE_API bitplane_shape bitplane_model_input_shape(const bitplane_model* model);
BITPLANE_API size_t bitplane_model_output_size(const bitplane_model* model); /* floats per picture */
BITPLANE_API size_t bitplane_model_input_count(const bitplane_model* model);
BITPLANE_API const char* bitplane_model_input_name(const bitplane_model* model, size_t index);
BITPLANE_API size_t bitplane_model_output_count(const bitplane_model* model);
BITPLANE_API const char* bitplane_model_output_name(const bitplane_model* model, size_t index);
BITPLANE_API size_t bitplane_model_label_count(const bitplane_model* model);
BITPLANE_API const char* bitplane_model_label(const bitplane_model* model, size_t index);
/* Packed weights and the copy of the file while there is one, see Model::memory_bytes(). */
BITPLANE_API size_t bitplane_model_memory_bytes(const bitplane_model* model);
/* Runs the file's own picture and compares the output bit for bit; BITPLANE_OK when the file has none. */
BITPLANE_API bitplane_status bitplane_model_self_test(const bitplane_model* model);

/* One task of a layer. */
typedef void (*bitplane_task)(void* task_context, size_t index);
/* The application's own threads: calls task(task_context, i) once for each i < tasks, on any threads, in any
 * order, and returns when all calls have. */
typedef void (*bitplane_executor)(void* context, size_t tasks, bitplane_task task, void* task_context);

/* bitplane_session_options options = {0}; options.struct_size = sizeof options; zero is the default of all
 * else. */
typedef struct bitplane_session_options {
  size_t struct_size;         /* required: later versions may add members at the end */
  size_t batch;               /* pictures per run; 0: 1 */
  size_t height, width;       /* of the pictures; 0: those of the training */
  size_t threads;             /* 0: 1. Results do not depend on it */
  const char* isa;            /* NULL: BITPLANE_ISA, else the best present */
  const char* family;         /* NULL: the cheapest kernels per layer */
  int autotune;               /* not 0: choose kernels by timing them */
  bitplane_executor executor; /* NULL: the session starts its own workers */
  void* executor_context;
} bitplane_session_options;

/* options: NULL for the defaults. */
BITPLANE_API bitplane_status bitplane_session_create(const bitplane_model* model,
                                                     const bitplane_session_options* options,
                                                     bitplane_session** session);
BITPLANE_API void bitplane_session_free(bitplane_session* session);

/* [batch][height][width][channels]; bytes are preprocessed as the file says, floats already are. Floats are
   unsupported where the first layer multiplies the picture's bytes. */
BITPLANE_API bitplane_status bitplane_session_run_u8(bitplane_session* session, const uint8_t* pictures,
                                                     size_t count);
BITPLANE_API bitplane_status bitplane_session_run_f32(bitplane_session* session, const float* pictures,
                                                      size_t count);
/* Of the last run, [batch][output_size]. name: NULL for the first output. Valid as long as the session. */
BITPLANE_API bitplane_status bitplane_session_output(const bitplane_session* session, const char* name,
                                                     const float** values, size_t* count);

BITPLANE_API bitplane_shape bitplane_session_input_shape(const bitplane_session* session);
BITPLANE_API bitplane_shape bitplane_session_output_shape(const bitplane_session* session);
BITPLANE_API const char* bitplane_session_isa(const bitplane_session* session);
/* Arena and scratch, see Session::memory_bytes(). */
BITPLANE_API size_t bitplane_session_memory_bytes(const bitplane_session* session);

#ifdef __cplusplus
}
#endif

#endif
