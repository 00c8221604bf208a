/* SPDX-License-Identifier: Apache-2.0 */
/* Scores one picture, in C:  embed_c MODEL [PICTURE]   PICTURE: binary PGM or PPM, or raw bytes, of the
 * model's size */
#include <bitplane/c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char* what) {
  fprintf(stderr, "embed: %s\n", what);
  return 1;
}

/* The last `size` bytes of a file: of one that has no more, or a header (without comments) of that shape. */
static int read_picture(const char* path, bitplane_shape shape, unsigned char* bytes, size_t size) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) return 0;
  char kind = 0;
  size_t width = 0, height = 0;
  const int read = fscanf(file, "P%c %zu %zu", &kind, &width, &height) == 3;
  const int fits =
      read && kind == (shape.channels == 1 ? '5' : '6') && width == shape.width && height == shape.height;
  int ok = fseek(file, -(long)size, SEEK_END) == 0;
  ok = ok && (fits || ftell(file) == 0) && fread(bytes, 1, size, file) == size;
  fclose(file);
  return ok;
}

static int classify(const bitplane_model* model, bitplane_session* session, const char* path) {
  const bitplane_shape shape = bitplane_model_input_shape(model);
  const size_t size = shape.height * shape.width * shape.channels;
  unsigned char* pixels = malloc(size);
  if (pixels == NULL) return fail("out of memory");
  memset(pixels, 128, size); /* without a picture: grey */
  if (path != NULL && !read_picture(path, shape, pixels, size)) {
    free(pixels);
    return fail("no picture of the model's size");
  }
  const bitplane_status status = bitplane_session_run_u8(session, pixels, size);
  free(pixels);
  const float* scores = NULL;
  size_t count = 0, best = 0;
  if (status != BITPLANE_OK || bitplane_session_output(session, NULL, &scores, &count) != BITPLANE_OK)
    return fail(bitplane_last_message());
  for (size_t i = 1; i < count; ++i) best = scores[i] > scores[best] ? i : best;
  const char* label = bitplane_model_label(model, best);
  printf("%s\n", label != NULL ? label : "?");
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 2) return fail("usage: embed_c MODEL [PICTURE]");
  bitplane_model* model = NULL;
  bitplane_session* session = NULL;
  int result = 1;
  if (bitplane_model_load(argv[1], &model) != BITPLANE_OK ||
      bitplane_session_create(model, NULL, &session) != BITPLANE_OK) {
    fail(bitplane_last_message());
  } else {
    result = classify(model, session, argc > 2 ? argv[2] : NULL);
  }
  bitplane_session_free(session);
  bitplane_model_free(model);
  return result;
}
