// SPDX-License-Identifier: Apache-2.0
//
// When the operating system is asked for AMX: the permission is for the whole process, cannot be given back,
// and makes small signal stacks impossible from then on. Each case is a child of a process that never asks.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "bitplane/kernels/isa.h"

#if defined(__linux__) && defined(__x86_64__)
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bitplane::kernels {
namespace {

constexpr std::size_t kSmallStack = 8192;  // SIGSTKSZ of old

bool takes_small_signal_stack() {
  static std::byte memory[kSmallStack];
  const stack_t stack{.ss_sp = memory, .ss_flags = 0, .ss_size = sizeof memory};
  return sigaltstack(&stack, nullptr) == 0;
}

bool tiles_are_permitted() {
  constexpr long kArchGetXcompPerm = 0x1022;
  constexpr std::uint64_t kTileData = std::uint64_t{1} << 18;
  std::uint64_t permitted = 0;
  return syscall(SYS_arch_prctl, kArchGetXcompPerm, &permitted) == 0 && (permitted & kTileData) != 0;
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::_Exit(1);
}

/// Runs the body in a child of its own.
template <class Body>
void expect_in_child(const Body& body) {
  EXPECT_EXIT(
      {
        body();
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "");
}

class TilePermission : public testing::Test {
 protected:
  void SetUp() override {
    if (!detect_cpu().has(Isa::Amx)) GTEST_SKIP() << "amx cannot run here: nobody asks for its permission";
  }
};

TEST_F(TilePermission, DetectionDoesNotAsk) {
  expect_in_child([] {
    static_cast<void>(detect_cpu());
    require(!tiles_are_permitted(), "no permission");
    require(takes_small_signal_stack(), "a small signal stack");
  });
}

TEST_F(TilePermission, LevelsBelowDoNotAsk) {
  for (const IsaInfo& info : kIsas) {
    if (info.isa >= Isa::Amx || !detect_cpu().has(info.isa)) continue;
    SCOPED_TRACE(info.name);
    expect_in_child([&] {
      require(resolve_isa(info.name).error == IsaError::None, "the level runs");
      require(takes_small_signal_stack(), "a small signal stack");
    });
    expect_in_child([&] {
      setenv("BITPLANE_ISA", std::string(info.name).c_str(), 1);
      require(resolve_isa("").features.best() == info.isa, "the environment's level");
      require(takes_small_signal_stack(), "a small signal stack");
    });
  }
}

TEST_F(TilePermission, TheLevelAmxHasIt) {
  expect_in_child([] {
    require(resolve_isa("amx").features.has(Isa::Amx), "amx");
    require(tiles_are_permitted(), "permission");
    require(!takes_small_signal_stack(), "what the other cases rely on: signal stacks have to be larger now");
  });
  expect_in_child([] {
    setenv("BITPLANE_ISA", "", 1);
    require(resolve_isa("").features.has(Isa::Amx), "amx, unless somebody wants less");
    require(tiles_are_permitted(), "permission");
  });
}

// Linux refuses where a thread has a signal stack already that would be too small.
TEST_F(TilePermission, RefusedItLowersTheLevel) {
  expect_in_child([] {
    setenv("BITPLANE_ISA", "", 1);
    require(takes_small_signal_stack(), "a small signal stack");
    const IsaResolution everything = resolve_isa("");
    require(everything.error == IsaError::None, "no error: nobody asked for amx by name");
    require(everything.features.isas == detect_cpu().limited_to(Isa::Avx512Bf16).isas, "the level below");
    require(resolve_isa("amx").error == IsaError::Unsupported, "by name it is refused");
    require(!tiles_are_permitted(), "no permission");
  });
}

}  // namespace
}  // namespace bitplane::kernels

#else

TEST(TilePermission, IsForLinuxOnX86) {
  GTEST_SKIP() << "no other system has to be asked for tiles";
}

#endif
