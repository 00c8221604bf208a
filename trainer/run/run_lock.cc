// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "engine/cli/shared/errors.h"

namespace bitplane::train {

RunLock::RunLock(const std::string& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  throw cli::CommandError(cli::ExitCode::BadUsage,
                          "another process is training in '" + folder + "': wait for it, or stop it first");
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace bitplane::train
