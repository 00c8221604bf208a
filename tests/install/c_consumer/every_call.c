/* SPDX-License-Identifier: Apache-2.0 */
/* every_call MODEL: each function of the C API, compiled as C: with NULL for everything, then as meant. */
#include <bitplane/c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                                                 \
  do {                                                                                              \
    if (!(what)) {                                                                                  \
      fprintf(stderr, "line %d: %s does not hold; %s\n", __LINE__, #what, bitplane_last_message()); \
      exit(1);                                                                                      \
    }                                                                                               \
  } while (0)

static void take_nulls(void) {
  bitplane_model* model = NULL;
  bitplane_session* session = NULL;
  const float* values = NULL;
  size_t count = 0;
  const unsigned char byte = 0;
  const float number = 0;
  CHECK(strcmp(bitplane_last_message(), "") == 0);
  CHECK(bitplane_model_load(NULL, &model) == BITPLANE_INVALID_ARGUMENT);
  CHECK(strstr(bitplane_last_message(), "path is NULL") != NULL);
  CHECK(bitplane_model_load("x", NULL) == BITPLANE_INVALID_ARGUMENT);
  CHECK(bitplane_model_load_bytes(NULL, 5, &model) == BITPLANE_INVALID_ARGUMENT);
  CHECK(bitplane_model_load_bytes("x", 1, NULL) == BITPLANE_INVALID_ARGUMENT);
  bitplane_model_free(NULL);
  CHECK(bitplane_model_input_shape(NULL).height == 0);
  CHECK(bitplane_model_output_size(NULL) == 0);
  CHECK(bitplane_model_input_count(NULL) == 0 && bitplane_model_input_name(NULL, 0) == NULL);
  CHECK(bitplane_model_output_count(NULL) == 0 && bitplane_model_output_name(NULL, 0) == NULL);
  CHECK(bitplane_model_label_count(NULL) == 0 && bitplane_model_label(NULL, 0) == NULL);
  CHECK(bitplane_model_memory_bytes(NULL) == 0);
  CHECK(bitplane_model_self_test(NULL) == BITPLANE_INVALID_ARGUMENT);
  CHECK(bitplane_session_create(NULL, NULL, &session) == BITPLANE_INVALID_ARGUMENT && session == NULL);
  CHECK(bitplane_session_create(NULL, NULL, NULL) == BITPLANE_INVALID_ARGUMENT);
  bitplane_session_free(NULL);
  CHECK(bitplane_session_run_u8(NULL, &byte, 1) == BITPLANE_INVALID_ARGUMENT);
  CHECK(bitplane_session_run_f32(NULL, &number, 1) == BITPLANE_INVALID_ARGUMENT);
  CHECK(bitplane_session_output(NULL, NULL, &values, &count) == BITPLANE_INVALID_ARGUMENT);
  CHECK(bitplane_session_input_shape(NULL).width == 0 && bitplane_session_output_shape(NULL).channels == 0);
  CHECK(bitplane_session_isa(NULL) == NULL && bitplane_session_memory_bytes(NULL) == 0);
}

static size_t executor_calls = 0;
static void run_backwards(void* context, size_t tasks, bitplane_task task, void* task_context) {
  CHECK(context == &executor_calls);
  ++executor_calls;
  while (tasks-- > 0) task(task_context, tasks);
}

static void use(bitplane_model* model) {
  const bitplane_shape shape = bitplane_model_input_shape(model);
  const size_t size = shape.height * shape.width * shape.channels;
  CHECK(size > 0 && bitplane_model_output_size(model) == 3 && bitplane_model_label_count(model) == 3);
  CHECK(strcmp(bitplane_model_label(model, 1), "dog") == 0 && bitplane_model_label(model, 3) == NULL);
  CHECK(bitplane_model_input_count(model) == 1 && strcmp(bitplane_model_input_name(model, 0), "input") == 0);
  CHECK(bitplane_model_output_count(model) == 1 && strcmp(bitplane_model_output_name(model, 0), "fc") == 0);
  CHECK(bitplane_model_output_name(model, 1) == NULL);
  CHECK(bitplane_model_self_test(model) == BITPLANE_OK);

  bitplane_session_options options = {0};
  bitplane_session* unsized = NULL;
  options.threads = 2;
  CHECK(bitplane_session_create(model, &options, &unsized) == BITPLANE_INVALID_ARGUMENT && unsized == NULL);
  CHECK(strstr(bitplane_last_message(), "struct_size") != NULL); /* not: options that nobody reads */
  options.struct_size = sizeof(options);
  options.batch = 2;
  options.threads = 2;
  options.executor = run_backwards;
  options.executor_context = &executor_calls;
  bitplane_session *first = NULL, *second = NULL;
  CHECK(bitplane_session_create(model, NULL, &first) == BITPLANE_OK);
  CHECK(bitplane_session_create(model, &options, &second) == BITPLANE_OK);
  options.isa = "sse9";
  bitplane_session* none = first;
  CHECK(bitplane_session_create(model, &options, &none) == BITPLANE_INVALID_ARGUMENT && none == NULL);
  CHECK(strstr(bitplane_last_message(), "sse9") != NULL);
  CHECK(bitplane_model_memory_bytes(model) > 0 && bitplane_session_memory_bytes(first) > 0);
  CHECK(strlen(bitplane_session_isa(first)) > 0);
  bitplane_model_free(model); /* the sessions live on */
  CHECK(bitplane_session_input_shape(second).height == shape.height);
  CHECK(bitplane_session_output_shape(second).channels == 3);

  unsigned char* pictures = calloc(2, size);
  CHECK(pictures != NULL);
  for (size_t i = 0; i < 2 * size; ++i) pictures[i] = (unsigned char)(i % size * 7);
  const float *one = NULL, *two = NULL;
  size_t count = 0;
  CHECK(bitplane_session_run_u8(first, NULL, size) == BITPLANE_INVALID_ARGUMENT);
  CHECK(bitplane_session_run_u8(first, pictures, size - 1) == BITPLANE_INVALID_ARGUMENT);
  CHECK(bitplane_session_run_u8(first, pictures, size) == BITPLANE_OK);
  CHECK(bitplane_session_run_u8(second, pictures, 2 * size) == BITPLANE_OK && executor_calls > 0);
  CHECK(bitplane_session_output(first, NULL, &one, &count) == BITPLANE_OK && count == 3);
  CHECK(bitplane_session_output(second, "fc", &two, &count) == BITPLANE_OK && count == 6);
  CHECK(memcmp(one, two, 3 * sizeof(float)) == 0 && memcmp(one, two + 3, 3 * sizeof(float)) == 0);
  CHECK(bitplane_session_output(second, "nobody", &two, &count) == BITPLANE_NOT_FOUND && count == 6);
  CHECK(bitplane_session_output(second, "fc", NULL, &count) == BITPLANE_INVALID_ARGUMENT);
  float* floats = calloc(size, sizeof(float));
  CHECK(floats != NULL && bitplane_session_run_f32(first, floats, size) == BITPLANE_OK);
  free(floats);
  free(pictures);
  bitplane_session_free(first);
  bitplane_session_free(second);
}

int main(int argc, char** argv) {
  CHECK(argc == 2);
  take_nulls();
  bitplane_model* model = NULL;
  CHECK(bitplane_model_load("/nowhere/net.safetensors", &model) == BITPLANE_NOT_FOUND && model == NULL);
  CHECK(bitplane_model_load_bytes("not a model", 11, &model) == BITPLANE_INVALID_FILE && model == NULL);
  CHECK(strcmp(bitplane_status_name(BITPLANE_INVALID_FILE), "invalid file") == 0);
  CHECK(strcmp(bitplane_status_name((bitplane_status)99), "unknown") == 0);
  CHECK(bitplane_model_load(argv[1], &model) == BITPLANE_OK);
  use(model);
  return 0;
}
