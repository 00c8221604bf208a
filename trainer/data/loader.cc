// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/loader.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace bitplane::train {
namespace {

/// Batches in memory: one that a step uses, two ahead of it.
constexpr std::size_t kSlots = 3;
/// Pictures that a worker takes at a time: enough to hide the lock, few enough to share a batch.
constexpr std::size_t kPiece = 8;

struct Slot {
  Batch batch;
  std::uint64_t epoch = 0;
  std::vector<std::uint32_t> indices;
  std::size_t claimed = 0, done = 0;  ///< pictures
  std::exception_ptr error;
  std::size_t error_at = 0;  ///< the first picture of the piece that threw
};

/// Some pictures of one batch, for one worker.
struct Piece {
  Slot* slot = nullptr;
  std::size_t first = 0, count = 0;
};

/// Which pictures come next.
class Sequence {
 public:
  Sequence(const LoaderOptions& options, std::size_t count)
      : options_(options), epoch_(options.epoch), at_(options.step * options.batch), order_(count) {
    if (epoch_ < options_.epochs) arrange();
  }
  [[nodiscard]] bool over() const noexcept { return epoch_ >= options_.epochs; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  void take(std::vector<std::uint32_t>& indices) {
    const std::size_t end = std::min(order_.size(), at_ + options_.batch);
    indices.assign(order_.begin() + static_cast<std::ptrdiff_t>(at_),
                   order_.begin() + static_cast<std::ptrdiff_t>(end));
    at_ = end;
    if (at_ < order_.size()) return;
    at_ = 0;
    if (++epoch_ < options_.epochs) arrange();
  }

 private:
  void arrange() {
    if (options_.order == PictureOrder::AsStored) {
      std::iota(order_.begin(), order_.end(), 0U);
    } else {
      order_ = epoch_order(options_.seed, epoch_, order_.size());
    }
    if (at_ < order_.size()) return;
    at_ = 0;  // the options name the place behind an epoch's last batch
    if (++epoch_ < options_.epochs) arrange();
  }

  LoaderOptions options_;
  std::uint64_t epoch_;
  std::size_t at_;
  std::vector<std::uint32_t> order_;
};

}  // namespace

struct Loader::Impl {
  Impl(const PictureMaker& pictures, const LoaderOptions& options)
      : maker(pictures), batch_size(options.batch), sequence(options, pictures.set().count) {}

  const PictureMaker& maker;
  const std::size_t batch_size;

  std::mutex mutex;
  std::condition_variable work, ready;
  Sequence sequence;
  std::array<Slot, kSlots> slots;
  // Batches are numbered; number n lives in slot n % kSlots.
  std::size_t opened = 0;    ///< begun
  std::size_t claiming = 0;  ///< the first that may have pictures nobody has taken
  std::size_t released = 0;  ///< given back by the caller
  bool holding = false;      ///< the caller has batch number `released`
  std::atomic<bool> stopping = false;
  std::exception_ptr failure;  ///< of a worker that could not go on

  PictureMaker::Scratch own_scratch;
  double waited = 0;
  std::vector<std::thread> threads;

  [[nodiscard]] Slot& slot(std::size_t number) noexcept { return slots[number % kSlots]; }
  void open();
  std::optional<Piece> claim();
  std::exception_ptr make(const Piece& piece, PictureMaker::Scratch& scratch);
  void finish(const Piece& piece, const std::exception_ptr& error);
  void release();
  void work_until_stopped();
  void make_here();
  void stop() noexcept;
};

/// The next batch's pictures and room for them. With the lock.
void Loader::Impl::open() {
  Slot& next = slot(opened);
  const engine::data::PictureSet& set = maker.set();
  next.epoch = sequence.epoch();
  sequence.take(next.indices);
  const Shape shape{next.indices.size(), set.height, set.width, set.channels};
  if (!next.batch.pictures.defined() || next.batch.pictures.shape() != shape)
    next.batch.pictures = Tensor(shape);
  next.batch.labels.resize(next.indices.size());
  next.claimed = next.done = 0;
  next.error = nullptr;
  ++opened;
}

/// Pictures to make, or nothing while the ring is full or when all is done. With the lock.
std::optional<Piece> Loader::Impl::claim() {
  if (claiming < opened && slot(claiming).claimed == slot(claiming).indices.size()) ++claiming;
  if (claiming == opened) {
    if (sequence.over() || opened == released + kSlots) return std::nullopt;
    open();
  }
  Slot& current = slot(claiming);
  const Piece piece{.slot = &current,
                    .first = current.claimed,
                    .count = std::min(kPiece, current.indices.size() - current.claimed)};
  current.claimed += piece.count;
  return piece;
}

/// Without the lock: nobody else touches these pictures.
std::exception_ptr Loader::Impl::make(const Piece& piece, PictureMaker::Scratch& scratch) {
  Slot& target = *piece.slot;
  const std::size_t size = maker.set().picture_size();
  try {
    for (std::size_t i = piece.first; i < piece.first + piece.count; ++i) {
      if (stopping.load(std::memory_order_relaxed)) break;
      const std::uint32_t index = target.indices[i];
      maker.make(target.epoch, index, scratch, target.batch.pictures.mutable_data() + i * size);
      target.batch.labels[i] = maker.set().labels[index];
    }
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

/// With the lock.
void Loader::Impl::finish(const Piece& piece, const std::exception_ptr& error) {
  Slot& target = *piece.slot;
  if (error && (!target.error || piece.first < target.error_at)) {
    target.error = error;
    target.error_at = piece.first;
  }
  target.done += piece.count;
}

/// What the caller still shares stays the caller's. With the lock.
void Loader::Impl::release() {
  if (!holding) return;
  holding = false;
  Tensor& pictures = slot(released).batch.pictures;
  if (!pictures.unique()) pictures = Tensor(pictures.shape());
  ++released;
}

void Loader::Impl::work_until_stopped() {
  PictureMaker::Scratch scratch;
  std::unique_lock lock(mutex);
  while (!stopping) {
    std::optional<Piece> piece;
    try {
      piece = claim();
    } catch (...) {  // no memory for a batch: the caller hears of it where it waits
      failure = std::current_exception();
      stopping = true;
      break;
    }
    if (!piece) {
      work.wait(lock);
      continue;
    }
    // Another worker may find something to do as well.
    work.notify_one();
    lock.unlock();
    const std::exception_ptr error = make(*piece, scratch);
    lock.lock();
    finish(*piece, error);
    if (piece->slot->done == piece->slot->indices.size()) ready.notify_one();
  }
  ready.notify_one();
}

/// Without workers: the caller's own thread makes the batch.
void Loader::Impl::make_here() {
  do {
    const std::optional<Piece> piece = claim();
    finish(*piece, make(*piece, own_scratch));
  } while (slot(released).done < slot(released).indices.size());
}

void Loader::Impl::stop() noexcept {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  work.notify_all();
  for (std::thread& thread : threads) thread.join();
  threads.clear();
}

Loader::Loader(const PictureMaker& maker, const LoaderOptions& options) {
  if (options.batch == 0 || maker.set().count == 0)
    throw std::invalid_argument("a loader of batches without pictures");
  impl_ = std::make_unique<Impl>(maker, options);
  try {
    for (std::size_t i = 0; i < options.workers; ++i)
      impl_->threads.emplace_back([impl = impl_.get()] { impl->work_until_stopped(); });
  } catch (...) {
    impl_->stop();
    throw;
  }
}

Loader::~Loader() {
  impl_->stop();
}

const Batch& Loader::next() {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  Impl& impl = *impl_;
  std::unique_lock lock(impl.mutex);
  impl.release();
  Slot& wanted = impl.slot(impl.released);
  if (impl.opened == impl.released && impl.sequence.over())
    throw std::out_of_range("a loader has no batch behind its last one");
  if (impl.threads.empty()) {
    impl.make_here();
  } else {
    impl.work.notify_all();
    impl.ready.wait(lock, [&] {
      const bool whole = impl.opened > impl.released && wanted.done == wanted.indices.size();
      return whole || impl.stopping;
    });
  }
  if (wanted.error) std::rethrow_exception(wanted.error);
  if (impl.failure) std::rethrow_exception(impl.failure);
  impl.holding = true;
  impl.waited += std::chrono::duration<double>(Clock::now() - begin).count();
  return wanted.batch;
}

double Loader::seconds_waited() const noexcept {
  return impl_->waited;
}

}  // namespace bitplane::train
