// SPDX-License-Identifier: Apache-2.0
#include "peer/process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace bitplane::bench {
namespace {

[[noreturn]] void become_peer(std::array<int, 2> requests, std::array<int, 2> replies, const char* isa) {
  dup2(requests[0], STDIN_FILENO);
  dup2(replies[1], STDOUT_FILENO);
  setenv("OMP_NUM_THREADS", "1", 1);
  execl("/proc/self/exe", "bench", "--serve-peer", isa, static_cast<char*>(nullptr));
  _exit(127);
}

}  // namespace

PeerProcess::PeerProcess(kernels::Isa isa) {
  std::array<int, 2> requests{}, replies{};
  if (pipe2(requests.data(), O_CLOEXEC) != 0 || pipe2(replies.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe for a peer");
  const std::string name(kernels::isa_name(isa));
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("no process for a peer");
  if (pid_ == 0) become_peer(requests, replies, name.c_str());
  close(requests[0]);
  close(replies[1]);
  to_ = requests[1];
  from_ = replies[0];
}

PeerProcess::~PeerProcess() {
  close(to_);  // the end of its requests: it exits
  close(from_);
  waitpid(pid_, nullptr, 0);
}

std::string PeerProcess::ask(const std::string& request) {
  const std::string line = request + "\n";
  if (write(to_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    throw std::runtime_error("the peer's process has ended");
  std::string reply;
  for (char c = 0; read(from_, &c, 1) == 1;) {
    if (c == '\n') return reply;
    reply += c;
  }
  throw std::runtime_error("the peer's process has ended");
}

void PeerProcess::prepare(std::size_t peer_case) {
  const std::string reply = ask("prepare " + std::to_string(peer_case));
  if (reply != "ok") throw std::runtime_error(reply);
}

double PeerProcess::run(std::size_t peer_case, std::int64_t runs) {
  constexpr std::string_view kSeconds = "seconds ";
  const std::string reply = ask("run " + std::to_string(peer_case) + " " + std::to_string(runs));
  if (!reply.starts_with(kSeconds)) throw std::runtime_error(reply);
  return std::strtod(reply.c_str() + kSeconds.size(), nullptr);
}

}  // namespace bitplane::bench
