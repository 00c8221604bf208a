// SPDX-License-Identifier: Apache-2.0
//
// What an application relies on beyond the results: files that change, memory, other sizes, its own threads.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "bitplane/engine.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "engine/reference/interpreter.h"
#include "engine/reference/specs.h"
#include "io/file_image.h"
#include "io/sha256.h"
#include "io/sha256_x86.h"

namespace bitplane::engine {
namespace {

class ModelFile {
 public:
  explicit ModelFile(const ModelSpec& spec)
      : path_(std::filesystem::temp_directory_path() /
              ("bitplane_embed_" + std::to_string(::getpid()) + ".safetensors")) {
    EXPECT_TRUE(write_model(path_.string(), spec).ok());
  }
  ~ModelFile() { std::filesystem::remove(path_); }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// Two wide convolutions of planes and a wide linear layer: 2.4 MB of planes, 4 MB of floats.
ModelSpec large_net() {
  return reference::SpecBuilder(7, 7, 4)
      .add("conv1", reference::float_conv(4, 1024))
      .add("quant1", reference::quantize())
      .add("conv2", reference::plane_conv(1024, 1024))
      .add("gap", GlobalAveragePool{})
      .add("fc", reference::classifier(1024, 1000))
      .spec();
}

std::vector<float> run(const Model& model, const SessionOptions& options) {
  Result<Session> session = Session::create(model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (!session.ok()) return {};
  ModelSpec spec;
  spec.input.height = session->input().height;
  spec.input.width = session->input().width;
  spec.input.channels = session->input().channels;
  EXPECT_TRUE(session->run(reference::pictures(spec, options.batch)).ok());
  return {session->output().begin(), session->output().end()};
}

/// Without what malloc keeps of freed blocks for the next ones: once a block of n bytes was freed, glibc
/// keeps up to 2 n (its thresholds are dynamic), and which kernels this CPU takes decided the test
/// (AMX: 18 MB where 6.5 are held).
std::size_t resident_bytes() {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(Embed, MemoryGrowsByPackedWeightsAndArena) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's own memory is counted too";
#endif
  if (std::getenv("BITPLANE_EMULATED") != nullptr)  // as the presets of emulated CPUs say
    GTEST_SKIP() << "the emulator's own memory is counted too";
  const ModelFile file(large_net());
  run(Model::load(file.path()).value(), {});  // code and tables of the libraries
  const std::size_t before = resident_bytes();
  ASSERT_GT(before, 0U);
  Result<Model> model = Model::load(file.path());
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->memory_bytes(), model->file_bytes()) << "nothing is packed yet";
  Result<Session> session = Session::create(model.value());
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE(session->run(reference::pictures(model->spec(), 1)).ok());
  const std::size_t after = resident_bytes();
  const std::size_t packed = model->memory_bytes(), arena = session->memory_bytes();
  EXPECT_GT(model->file_bytes(), 4U << 20) << "a copy left behind would not show";
  EXPECT_LT(after, before + packed + arena + (2U << 20));
}

TEST(Embed, ASessionNeedsTheFileOnceMoreForOtherKernels) {
  const ModelSpec spec = reference::small_net();
  const ModelFile file(spec);
  const Model model = Model::load(file.path()).value();
  const std::vector<float> expected = run(model, {});
  EXPECT_EQ(model.spec(), spec) << "the weights still stand in the mapping";
  for (const kernels::Family family : kernels::lowbit_families()) {
    EXPECT_EQ(run(model, {.isa = "scalar", .family = std::string(kernels::family_name(family))}), expected);
  }
  EXPECT_EQ(run(model, {.autotune = true}), expected);
}

TEST(Embed, AFileThatShrinksOrChangesHarmsNoSession) {
  const ModelFile file(reference::small_net());
  const Model model = Model::load(file.path()).value();
  const std::vector<float> expected = run(model, {.isa = "scalar", .family = "bitserial"});
  {
    std::fstream damage(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(-1, std::ios::end);
    damage.put('\x55');
  }
  EXPECT_EQ(run(model, {.isa = "scalar", .family = "bitserial"}), expected) << "all is packed";
  const SessionOptions other{.height = 10};
  const Result<Session> changed = Session::create(model, other);
  EXPECT_EQ(changed.status().code(), StatusCode::IoError);
  EXPECT_NE(changed.status().message().find("was changed"), std::string::npos) << changed.status().message();
  std::filesystem::resize_file(file.path(), 100);
  EXPECT_EQ(run(model, {.isa = "scalar", .family = "bitserial"}), expected);
  const Result<Session> shrunk = Session::create(model, other);
  EXPECT_EQ(shrunk.status().code(), StatusCode::IoError);
  EXPECT_NE(shrunk.status().message().find("shorter"), std::string::npos) << shrunk.status().message();
}

/// sysfs maps none of its files, and says so late.
TEST(Embed, AFileThatCannotBeMappedKeepsItsCopy) {
  const std::string path = "/sys/kernel/notes";
  const Result<std::shared_ptr<FileImage>> image = FileImage::read(path, 1 << 20);
  if (!image.ok()) GTEST_SKIP() << image.status().message();
  const std::vector<std::byte> copy(image.value()->bytes().begin(), image.value()->bytes().end());
  image.value()->release();
  EXPECT_TRUE(image.value()->resident());
  EXPECT_TRUE(std::equal(copy.begin(), copy.end(), image.value()->bytes().begin()));
}

/// A spec of a loaded model views the file: what is made of it does not.
TEST(Embed, AModelOfALoadedSpecHasItsOwnWeights) {
  const ModelFile file(reference::small_net());
  const Model model = Model::load(file.path()).value();
  const std::vector<float> expected = run(model, {});  // packs the weights and gives the copy back
  const Result<Model> again = Model::from_spec(model.spec());
  ASSERT_TRUE(again.ok()) << again.status().message();
  const std::size_t size = std::filesystem::file_size(file.path());
  {
    std::fstream damage(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(static_cast<std::streamoff>(size / 2));
    damage << std::string(size - size / 2, '\x55');
  }
  const Result<Model> changed = Model::from_spec(model.spec());
  EXPECT_EQ(changed.status().code(), StatusCode::IoError);
  EXPECT_NE(changed.status().message().find("was changed"), std::string::npos) << changed.status().message();
  EXPECT_EQ(run(again.value(), {}), expected);
  std::filesystem::resize_file(file.path(), 100);
  EXPECT_EQ(run(again.value(), {.isa = "scalar"}), expected);
  EXPECT_EQ(Model::from_spec(model.spec()).status().code(), StatusCode::IoError);
}

TEST(Embed, OtherSizesGiveWhatTheOracleGives) {
  const ModelSpec spec = reference::small_net();
  const ModelFile file(spec);
  const Model model = Model::load(file.path()).value();
  for (const std::size_t height : {6, 8, 13}) {
    for (const std::size_t width : {4, 8, 11}) {
      SCOPED_TRACE(std::to_string(height) + "x" + std::to_string(width));
      ModelSpec other = spec;
      other.input.height = height;
      other.input.width = width;
      const std::vector<std::uint8_t> picture = reference::pictures(other, 1);
      Result<Session> session = Session::create(model, {.height = height, .width = width});
      ASSERT_TRUE(session.ok()) << session.status().message();
      EXPECT_EQ(session->input().height, height);
      EXPECT_EQ(session->input().width, width);
      EXPECT_EQ(session->output_size(), 3U);
      ASSERT_TRUE(session->run(picture).ok());
      const std::vector<float> output(session->output().begin(), session->output().end());
      EXPECT_EQ(output,
                reference::interpret(other, reference::preprocess(other.input, picture)).at("fc").values);
    }
  }
}

TEST(Embed, ASizeThatTheNetCannotTakeIsRefusedWithTheReason) {
  const ModelSpec flat =
      reference::SpecBuilder(4, 4, 1).add("flat", Flatten{}).add("fc", reference::classifier(16, 3)).spec();
  const Result<Session> session = Session::create(Model::from_spec(flat).value(), {.height = 6, .width = 5});
  EXPECT_EQ(session.status().code(), StatusCode::InvalidArgument);
  for (const char* part : {"6x5", "4x4", "'fc'"}) {
    EXPECT_NE(session.status().message().find(part), std::string::npos) << session.status().message();
  }
  const Model small = Model::from_spec(reference::small_net()).value();
  EXPECT_FALSE(Session::create(small, {.height = 1}).ok()) << "its pooling window is larger";
  EXPECT_FALSE(Session::create(small, {.height = std::size_t{1} << 40}).ok());
}

/// Also where a step has less rows than there are threads.
TEST(Embed, AnyNumberOfThreadsGivesTheSameBits) {
  MaxPool pool;
  pool.kernel_h = pool.kernel_w = 3;
  pool.pad_h = pool.pad_w = 1;
  const ModelSpec spec = reference::SpecBuilder(9, 7, 3)
                             .add("conv1", reference::float_conv(3, 8))
                             .add("pool1", pool)
                             .add("quant1", reference::quantize())
                             .add("conv2", reference::plane_conv(8, 12))
                             .add("pool2", pool)
                             .add("flat", Flatten{})
                             .add("fc", reference::classifier(72, 50))
                             .spec();
  const Model model = Model::from_spec(spec).value();
  for (const std::size_t batch : {1, 3}) {
    const std::size_t size = 9 * 7 * 3;
    const std::vector<std::uint8_t> bytes = reference::pictures(spec, batch);
    std::vector<float> expected;
    for (std::size_t n = 0; n < batch; ++n) {
      const auto picture = reference::preprocess(spec.input, std::span(bytes).subspan(n * size, size));
      const std::vector<float> output = reference::interpret(spec, picture).at("fc").values;
      expected.insert(expected.end(), output.begin(), output.end());
    }
    for (const std::size_t threads : {1, 2, 3, 4, 5, 16}) {
      EXPECT_EQ(run(model, {.batch = batch, .threads = threads}), expected) << batch << ", " << threads;
    }
  }
}

TEST(Embed, InputsAndOutputsHaveNames) {
  const Model model = Model::from_spec(reference::small_net()).value();
  ASSERT_EQ(model.input_names().size(), 1U);
  EXPECT_EQ(model.input_names()[0], "input");
  ASSERT_EQ(model.output_names().size(), 1U);
  EXPECT_EQ(model.output_names()[0], "fc");
  const Session session = Session::create(model).value();
  const auto found = session.output("fc");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value().data(), session.output().data());
  EXPECT_EQ(found.value().size(), 3U);
  const auto missing = session.output("conv1");
  EXPECT_EQ(missing.status().code(), StatusCode::NotFound);
  EXPECT_NE(missing.status().message().find("'conv1'"), std::string::npos);
}

/// Runs the tasks backwards on this thread, or each on a thread of its own.
struct CountingExecutor {
  bool threads = false;
  std::size_t calls = 0, most_tasks = 0;

  static void run(void* context, std::size_t tasks, void (*task)(void*, std::size_t) noexcept,
                  void* task_context) noexcept {
    auto& self = *static_cast<CountingExecutor*>(context);
    ++self.calls;
    self.most_tasks = std::max(self.most_tasks, tasks);
    if (!self.threads) {
      for (std::size_t i = tasks; i-- > 0;) task(task_context, i);
      return;
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < tasks; ++i) threads.emplace_back(task, task_context, i);
    for (std::thread& thread : threads) thread.join();
  }
};

TEST(Embed, AnExecutorRunsTheParts) {
  const Model model = Model::from_spec(reference::small_net()).value();
  const std::vector<float> expected = run(model, {.batch = 2});
  for (const bool threads : {false, true}) {
    CountingExecutor executor{.threads = threads};
    const SessionOptions options{.batch = 2, .threads = 3, .executor = {CountingExecutor::run, &executor}};
    EXPECT_EQ(run(model, options), expected);
    EXPECT_GT(executor.calls, 4U);
    EXPECT_EQ(executor.most_tasks, 3U);
  }
}

/// In a child process, whose address space has no room for more than a few stacks.
TEST(Embed, ThreadsThatTheSystemRefusesAreAnErrorThatSaysSo) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's own memory needs the address space";
#endif
  if (std::getenv("BITPLANE_EMULATED") != nullptr) GTEST_SKIP() << "the limit would be the emulator's";
  const Model model = Model::from_spec(reference::small_net()).value();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t bytes = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (std::size_t{64} << 20);
    const rlimit limit{bytes, bytes};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(2);
    const Status status = Session::create(model, {.threads = 1024}).status();
    const bool named = status.message().find("1024 threads") != std::string::npos;
    ::_exit(status.code() == StatusCode::IoError && named ? 0 : 1);
  }
  int result = -1;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) == 0) << result;
}

/// Everything that sessions share is made while others run: TSan looks on.
TEST(Embed, SessionsAreMadeAndRunAtTheSameTime) {
  const ModelFile file(reference::small_net());
  const Model model = Model::load(file.path()).value();
  const std::vector<float> native = run(Model::load(file.path()).value(), {});
  const std::vector<float> larger = run(Model::load(file.path()).value(), {.height = 12});
  std::vector<int> wrong(6, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 4; ++i) {
        SessionOptions options{.height = t % 2 == 0 ? std::size_t{0} : 12, .threads = 1 + t % 3};
        if (t % 3 == 0) options.isa = "scalar";
        wrong[t] += run(model, options) != (t % 2 == 0 ? native : larger) ? 1 : 0;
        // What other sizes packed goes with their last session; the model's own stays.
        const std::size_t memory = model.memory_bytes();
        wrong[t] += t % 2 == 0 && memory == 0 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(wrong.size(), 0));
}

TEST(Sha256Instructions, GiveTheDigestsOfPlainCode) {
  if (!has_sha256_instructions()) GTEST_SKIP() << "this CPU has no SHA instructions";
  std::vector<std::byte> bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * i * 7 + i);
  for (const std::size_t size : {0, 1, 55, 56, 63, 64, 65, 127, 128, 129, 511, 1000}) {
    Sha256 fast, plain(Sha256By::PlainCode);
    const std::span<const std::byte> message = std::span(bytes).first(size);
    fast.update(message.first(size / 3));
    fast.update(message.subspan(size / 3));
    plain.update(message);
    EXPECT_EQ(fast.finish(), plain.finish()) << size;
  }
}

}  // namespace
}  // namespace bitplane::engine
