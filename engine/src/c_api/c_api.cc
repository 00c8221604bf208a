// SPDX-License-Identifier: Apache-2.0
#include "bitplane/c_api.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "bitplane/engine.h"
#include "io/no_throw.h"

namespace engine = bitplane::engine;

struct bitplane_model {
  engine::Model model;
};

/// Where the engine's executor finds that of C, whose functions promise nothing about exceptions.
struct ExecutorOfC {
  bitplane_executor run = nullptr;
  void* context = nullptr;
};

struct bitplane_session {
  std::unique_ptr<ExecutorOfC> executor;  ///< outlives the session that points to it
  engine::Session session;
  std::string isa;
};

namespace {

/// Fixed, so that an error of memory can be told too.
thread_local std::array<char, 512> last_message{};

static_assert(static_cast<int>(engine::StatusCode::IoError) == BITPLANE_IO_ERROR);
static_assert(static_cast<int>(engine::StatusCode::NotFound) == BITPLANE_NOT_FOUND);

bitplane_status failed(engine::StatusCode code, std::string_view message) noexcept {
  std::size_t size = std::min(message.size(), last_message.size() - 1);
  const auto continues = [&](std::size_t i) {
    return (static_cast<unsigned char>(message[i]) & 0xC0U) == 0x80U;
  };
  while (size < message.size() && size > 0 && continues(size)) --size;
  std::copy_n(message.data(), size, last_message.data());
  last_message[size] = '\0';
  return static_cast<bitplane_status>(code);
}
bitplane_status told(const engine::Status& status) noexcept {
  return status.ok() ? BITPLANE_OK : failed(status.code(), status.message());
}
bitplane_status null_argument(std::string_view what) noexcept {
  return failed(engine::StatusCode::InvalidArgument, what);
}

/// Runs a body that returns a Result<Handle*>.
template <class Handle, class Body>
bitplane_status make(Handle** out, Body&& body) noexcept {
  *out = nullptr;
  engine::Result<Handle*> made = engine::no_throw([&]() -> engine::Result<Handle*> { return body(); });
  if (!made.ok()) return told(made.status());
  *out = made.value();
  return BITPLANE_OK;
}

bitplane_shape shape_of(const engine::InputShape& shape) noexcept {
  return {shape.height, shape.width, shape.channels};
}
const char* name_at(std::span<const std::string> names, std::size_t index) noexcept {
  return index < names.size() ? names[index].c_str() : nullptr;
}

void run_on_executor(void* context, std::size_t tasks, void (*task)(void*, std::size_t) noexcept,
                     void* task_context) noexcept {
  const auto& executor = *static_cast<const ExecutorOfC*>(context);
  executor.run(executor.context, tasks, task, task_context);
}

/// What the first version's struct has: no caller's is shorter.
constexpr std::size_t kFirstOptionsSize = sizeof(bitplane_session_options);

/// Of a caller that may have been compiled with another length of the struct.
bitplane_session_options complete(const bitplane_session_options* given) noexcept {
  bitplane_session_options options{};
  if (given != nullptr) std::memcpy(&options, given, std::min(given->struct_size, sizeof(options)));
  return options;
}

engine::SessionOptions translate(const bitplane_session_options& options, ExecutorOfC& executor) {
  engine::SessionOptions to;
  to.batch = std::max<std::size_t>(options.batch, 1);
  to.height = options.height;
  to.width = options.width;
  to.threads = std::max<std::size_t>(options.threads, 1);
  if (options.isa != nullptr) to.isa = options.isa;
  if (options.family != nullptr) to.family = options.family;
  to.autotune = options.autotune != 0;
  executor = {options.executor, options.executor_context};
  if (executor.run != nullptr) to.executor = {run_on_executor, &executor};
  return to;
}

}  // namespace

const char* bitplane_status_name(bitplane_status status) {
  const auto code = static_cast<unsigned>(status);
  if (code > static_cast<unsigned>(BITPLANE_IO_ERROR)) return "unknown";
  return engine::status_code_name(static_cast<engine::StatusCode>(code)).data();  // of literals
}

const char* bitplane_last_message(void) {
  return last_message.data();
}

bitplane_status bitplane_model_load(const char* path, bitplane_model** model) {
  if (model == nullptr) return null_argument("bitplane_model_load: model is NULL");
  *model = nullptr;
  if (path == nullptr) return null_argument("bitplane_model_load: path is NULL");
  return make(model, [&]() -> engine::Result<bitplane_model*> {
    engine::Result<engine::Model> loaded = engine::Model::load(std::string(path));
    if (!loaded.ok()) return loaded.status();
    return new bitplane_model{std::move(loaded).value()};
  });
}

bitplane_status bitplane_model_load_bytes(const void* bytes, size_t size, bitplane_model** model) {
  if (model == nullptr) return null_argument("bitplane_model_load_bytes: model is NULL");
  *model = nullptr;
  if (bytes == nullptr) return null_argument("bitplane_model_load_bytes: bytes is NULL");
  return make(model, [&]() -> engine::Result<bitplane_model*> {
    const std::span<const std::byte> file(static_cast<const std::byte*>(bytes), size);
    engine::Result<engine::Model> loaded = engine::Model::load(file);
    if (!loaded.ok()) return loaded.status();
    return new bitplane_model{std::move(loaded).value()};
  });
}

void bitplane_model_free(bitplane_model* model) {
  delete model;
}

bitplane_shape bitplane_model_input_shape(const bitplane_model* model) {
  return model == nullptr ? bitplane_shape{} : shape_of(model->model.input());
}
size_t bitplane_model_output_size(const bitplane_model* model) {
  return model == nullptr ? 0 : model->model.output_size();
}
size_t bitplane_model_input_count(const bitplane_model* model) {
  return model == nullptr ? 0 : model->model.input_names().size();
}
const char* bitplane_model_input_name(const bitplane_model* model, size_t index) {
  return model == nullptr ? nullptr : name_at(model->model.input_names(), index);
}
size_t bitplane_model_output_count(const bitplane_model* model) {
  return model == nullptr ? 0 : model->model.output_names().size();
}
const char* bitplane_model_output_name(const bitplane_model* model, size_t index) {
  return model == nullptr ? nullptr : name_at(model->model.output_names(), index);
}
size_t bitplane_model_label_count(const bitplane_model* model) {
  return model == nullptr ? 0 : model->model.labels().size();
}
const char* bitplane_model_label(const bitplane_model* model, size_t index) {
  return model == nullptr ? nullptr : name_at(model->model.labels(), index);
}
size_t bitplane_model_memory_bytes(const bitplane_model* model) {
  return model == nullptr ? 0 : model->model.memory_bytes();
}

bitplane_status bitplane_model_self_test(const bitplane_model* model) {
  if (model == nullptr) return null_argument("bitplane_model_self_test: model is NULL");
  return told(engine::self_test(model->model));
}

bitplane_status bitplane_session_create(const bitplane_model* model, const bitplane_session_options* options,
                                        bitplane_session** session) {
  if (session == nullptr) return null_argument("bitplane_session_create: session is NULL");
  *session = nullptr;
  if (model == nullptr) return null_argument("bitplane_session_create: model is NULL");
  if (options != nullptr && options->struct_size < kFirstOptionsSize) {
    return failed(engine::StatusCode::InvalidArgument,
                  "bitplane_session_create: options->struct_size is too small: set it to sizeof *options");
  }
  return make(session, [&]() -> engine::Result<bitplane_session*> {
    auto executor = std::make_unique<ExecutorOfC>();
    const engine::SessionOptions translated = translate(complete(options), *executor);
    engine::Result<engine::Session> made = engine::Session::create(model->model, translated);
    if (!made.ok()) return made.status();
    std::string isa(made->isa());
    return new bitplane_session{std::move(executor), std::move(made).value(), std::move(isa)};
  });
}

void bitplane_session_free(bitplane_session* session) {
  delete session;
}

bitplane_status bitplane_session_run_u8(bitplane_session* session, const uint8_t* pictures, size_t count) {
  if (session == nullptr) return null_argument("bitplane_session_run_u8: session is NULL");
  if (pictures == nullptr) return null_argument("bitplane_session_run_u8: pictures is NULL");
  return told(session->session.run(std::span(pictures, count)));
}

bitplane_status bitplane_session_run_f32(bitplane_session* session, const float* pictures, size_t count) {
  if (session == nullptr) return null_argument("bitplane_session_run_f32: session is NULL");
  if (pictures == nullptr) return null_argument("bitplane_session_run_f32: pictures is NULL");
  return told(session->session.run(std::span(pictures, count)));
}

bitplane_status bitplane_session_output(const bitplane_session* session, const char* name,
                                        const float** values, size_t* count) {
  if (session == nullptr) return null_argument("bitplane_session_output: session is NULL");
  if (values == nullptr || count == nullptr)
    return null_argument("bitplane_session_output: values or count is NULL");
  std::span<const float> found = session->session.output();
  if (name != nullptr) {
    const auto named = session->session.output(name);
    if (!named.ok()) return told(named.status());
    found = named.value();
  }
  *values = found.data();
  *count = found.size();
  return BITPLANE_OK;
}

bitplane_shape bitplane_session_input_shape(const bitplane_session* session) {
  return session == nullptr ? bitplane_shape{} : shape_of(session->session.input());
}
bitplane_shape bitplane_session_output_shape(const bitplane_session* session) {
  return session == nullptr ? bitplane_shape{} : shape_of(session->session.output_shape());
}
const char* bitplane_session_isa(const bitplane_session* session) {
  return session == nullptr ? nullptr : session->isa.c_str();
}
size_t bitplane_session_memory_bytes(const bitplane_session* session) {
  return session == nullptr ? 0 : session->session.memory_bytes();
}
