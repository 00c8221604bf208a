// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/training.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/cli/shared/errors.h"
#include "trainer/autograd/variable.h"
#include "trainer/checkpoint/file.h"
#include "trainer/config/changes.h"
#include "trainer/ops/loss.h"
#include "trainer/optim/gradients.h"
#include "trainer/run/build.h"
#include "trainer/run/divergence.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/provenance.h"
#include "trainer/run/readings.h"

namespace bitplane::train {
namespace {

using cli::CommandError;
using cli::ExitCode;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kTestBatch = 250;
constexpr std::uint64_t kEventsPerEpoch = 20;

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Training::Training(const Config& config, const TrainingData& data, std::size_t threads)
    : config_(config),
      data_(&data),
      backend_(std::make_unique<Backend>(backend_options(config, threads))),
      task_(make_task(config, data)),
      net_(build_run_net(config, task_.input, task_.labels.size(), task_.preprocessing)),
      optimizer_(build_optimizer(config, *net_)),
      parameters_(named_parameters(*net_)),
      pictures_(data.train, task_.preprocessing, augmentation_of(config), config.seed),
      identity_{.settings = deciding_settings(config)},
      steps_per_epoch_((data.train.count + config.batch - 1) / config.batch) {
  schedule_ = build_schedule(config, config.epochs * steps_per_epoch_);
  if (config.ema != 0.0) average_ = std::make_unique<WeightAverage>(*net_, config.ema);
}

/// A run goes on with the teacher that it began with.
void Training::load_teacher() {
  if (config_.teacher.empty()) return;
  teacher_ = std::make_unique<Teacher>(config_.teacher, task_);
  const std::string checksum = teacher_->checksum();
  if (!identity_.teacher.empty() && identity_.teacher != checksum) {
    throw CommandError(ExitCode::BadInput,
                       "teacher '" + config_.teacher +
                           "' has other weights than when this run began: bring those back, or start a new "
                           "run with another --out");
  }
  identity_.teacher = checksum;
}

StartPoint Training::start_point() const {
  return {.config = config_, .data = *data_, .task = task_, .backend = *backend_, .net = *net_};
}

void Training::rehearse(const Config& config, const TrainingData& data, const Preparation& look) {
  Training training(config, data, 1);
  training.load_teacher();
  look(training.start_point());
}

Training Training::start(const Config& config, const TrainingData& data, const Preparation& prepare) {
  RunFolder::refuse_results(config.out);
  Training training(config, data, thread_count(config));
  training.load_teacher();
  training.begin(prepare);
  const auto first = training.checkpoint_bytes();
  RunFolder::make(config.out);
  training.lock_ = std::make_unique<RunLock>(config.out);
  training.folder_ = std::make_unique<RunFolder>(RunFolder::create(config.out, config, first.size()));
  const engine::Status written =
      engine::write_file_atomically(training.folder_->checkpoint(Which::Last), first);
  if (!written.ok()) training.folder_->discard();
  cli::check(written);
  training.open_records(*training.folder_);
  return training;
}

Training Training::resume(const RunFolder& folder, const TrainingData& data, std::size_t threads) {
  Training training(folder.config(), data, threads);
  training.folder_ = std::make_unique<RunFolder>(folder);
  training.lock_ = std::make_unique<RunLock>(folder.path());
  folder.remove_leftovers();
  folder.check_room(training.checkpoint_bytes().size());
  if (folder.has_checkpoint(Which::Last)) {
    training.restore(folder);
  } else {
    folder.refuse_lost_checkpoint();
    training.begin({});
  }
  // A run whose epochs are done has nothing to learn any more, and its teacher may be gone.
  if (training.progress_.epoch < training.config_.epochs) training.load_teacher();
  training.open_records(folder);
  if (!folder.has_checkpoint(Which::Last)) training.save(Which::Last);
  return training;
}

/// Before the first step of a run: weights from a file, where the config names one, and what `prepare` does.
void Training::begin(const Preparation& prepare) {
  if (!config_.init_from.empty()) {
    const MissingValues missing =
        config_.init_missing == kKeepMissing ? MissingValues::Keep : MissingValues::Refuse;
    imported_ = import_torch_file(config_.init_from, *net_, {config_.net, task_.input.channels}, missing);
  }
  if (prepare) prepare(start_point());
  constrain_quantizers(*net_);
  if (average_) average_ = std::make_unique<WeightAverage>(*net_, config_.ema);
}

/// Counters of steps, epochs and pictures follow from each other.
bool Training::is_possible(const Progress& p) const {
  const bool within =
      p.step_in_epoch == 0 || (p.epoch < config_.epochs && p.step_in_epoch < steps_per_epoch_);
  return within && p.epoch <= config_.epochs && p.step == p.epoch * steps_per_epoch_ + p.step_in_epoch &&
         p.seen == p.step_in_epoch * config_.batch && p.correct <= p.seen && std::isfinite(p.loss_sum);
}

void Training::restore(const RunFolder& folder) {
  const CheckpointReader checkpoint = open_checkpoint(folder, Which::Last);
  checkpoint.refuse_other_settings(folder.config());
  require_same_data(folder, checkpoint.task(), task_);
  checkpoint.restore(*net_);
  checkpoint.restore(*optimizer_);
  if (average_) checkpoint.restore(*average_);
  identity_.teacher = checkpoint.identity().teacher;
  progress_ = checkpoint.progress();
  if (!is_possible(progress_)) {
    throw CommandError(ExitCode::BadInput, folder.checkpoint(Which::Last) +
                                               ": its counters are none that this run can have" +
                                               instead_of_checkpoint(folder, Which::Last));
  }
  rows_ = folder.read_metrics(progress_.epoch);
  if (progress_.epoch < config_.epochs) folder.refuse_lost_metrics(rows_, progress_.epoch);
}

/// Provenance and events: what one process adds to the folder before its first step.
void Training::open_records(const RunFolder& folder) {
  std::error_code error;
  const bool known = std::filesystem::exists(folder.provenance(), error);
  write_file_text(folder.provenance(),
                  provenance_text(known ? read_file_text(folder.provenance()) : "", config_,
                                  task_.train_digest + " " + task_.test_digest,
                                  {.first_step = progress_.step,
                                   .threads = backend_->threads().size(),
                                   .isa = kernels::isa_name(backend_->features().best())}));
  events_ = std::make_unique<EventFile>(folder.events(), progress_.step);
}

Context Training::context(Mode mode) const {
  return {.backend = *backend_,
          .mode = mode,
          .grad = mode == Mode::Train ? GradMode::Record : GradMode::Off,
          .seed = config_.seed,
          .step = progress_.step,
          .steps_per_epoch = steps_per_epoch_};
}

/// A run without epochs ends with the accuracy of its start.
void Training::measure_start() {
  if (progress_.best_accuracy >= 0) return;
  progress_.test_accuracy = progress_.best_accuracy = test_accuracy();
  folder_->write_metrics(rows_);
  save(Which::Best);
  save(Which::Last);
}

/// What ends a run from outside, and how it goes on.
void Training::fail_refused(const std::string& what) const {
  throw CommandError(ExitCode::SystemRefused, what +
                                                  "; what was saved before is kept: mend that, then go on "
                                                  "with: trainer resume " +
                                                  folder_->path());
}

Outcome Training::run(const TrainingListener& listener) {
  try {
    return run_epochs(listener);
  } catch (const CommandError& error) {
    if (error.code() != ExitCode::SystemRefused) throw;
    fail_refused(error.what());
  } catch (const std::system_error& error) {
    const bool no_thread = error.code() == std::errc::resource_unavailable_try_again;
    fail_refused(no_thread ? "the system has no thread left for this training" : error.what());
  }
}

Outcome Training::run_epochs(const TrainingListener& listener) {
  if (config_.epochs == 0) {
    measure_start();
    return Outcome::Finished;
  }
  Loader loader(pictures_, {.batch = config_.batch,
                            .workers = config_.loaders,
                            .seed = config_.seed,
                            .epoch = progress_.epoch,
                            .step = progress_.step_in_epoch,
                            .epochs = config_.epochs});
  while (progress_.epoch < config_.epochs) {
    if (run_epoch(loader, listener) == Outcome::Stopped) return Outcome::Stopped;
  }
  return Outcome::Finished;
}

/// Time of the part of an epoch that runs in this process.
struct Training::EpochClock {
  Clock::time_point start = Clock::now();
  std::uint64_t first_seen = 0;
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Clock::now() - start).count(); }
};

Outcome Training::run_epoch(Loader& loader, const TrainingListener& listener) {
  const EpochClock clock{.first_seen = progress_.seen};
  while (progress_.step_in_epoch < steps_per_epoch_) {
    step(loader.next());
    const double seconds = clock.seconds();
    const double rate = static_cast<double>(progress_.seen - clock.first_seen) / std::max(seconds, 1e-9);
    const std::uint64_t left = (config_.epochs - progress_.epoch) * data_->train.count - progress_.seen;
    const StepReport report{.epoch = progress_.epoch + 1,
                            .epochs = config_.epochs,
                            .step = progress_.step_in_epoch,
                            .steps = steps_per_epoch_,
                            .loss = progress_.loss_sum / static_cast<double>(progress_.seen),
                            .accuracy = ratio(progress_.correct, progress_.seen),
                            .images_per_second = rate,
                            .seconds_left = static_cast<double>(left) / rate};
    record_step(report);
    listener.step(report);
    const bool last = progress_.step_in_epoch == steps_per_epoch_;
    if (listener.stop()) {
      // The epoch's end comes first where it is due: its test accuracy belongs to the run, not to the stop.
      if (last) finish_epoch(seconds, progress_.seen - clock.first_seen, listener);
      if (!last) save(Which::Last);
      return progress_.epoch == config_.epochs ? Outcome::Finished : Outcome::Stopped;
    }
    if (!last && config_.checkpoint_every != 0 && progress_.step % config_.checkpoint_every == 0)
      save(Which::Last);
  }
  finish_epoch(clock.seconds(), progress_.seen - clock.first_seen, listener);
  return Outcome::Finished;
}

/// For TensorBoard; which steps are written depends on their number alone.
void Training::record_step(const StepReport& report) const {
  const std::uint64_t every = (steps_per_epoch_ + kEventsPerEpoch - 1) / kEventsPerEpoch;
  if (report.step % every != 0 && report.step != report.steps) return;
  events_->add(progress_.step,
               std::array{Scalar{"train/loss", report.loss}, Scalar{"train/accuracy", report.accuracy},
                          Scalar{"train/learning_rate", schedule_->rate(progress_.step - 1)},
                          Scalar{"train/images_per_second", report.images_per_second}});
}

void Training::step(const Batch& batch) {
  const Context ctx = context(Mode::Train);
  const Variable logits = net_->forward(ctx, Variable(batch.pictures));
  const Variable loss = loss_of(logits, batch, ctx);
  const auto value = static_cast<double>(loss.value().values()[0]);
  if (!std::isfinite(value)) fail_diverged(find_non_finite_layer(ctx, *net_, batch.pictures));
  progress_.correct += count_correct(logits.value(), batch.labels);
  clear_gradients(*net_);
  backward(ctx, loss);
  update(ctx);
  progress_.loss_sum += value * static_cast<double>(batch.labels.size());
  progress_.seen += batch.labels.size();
  ++progress_.step;
  ++progress_.step_in_epoch;
}

/// Of the labels, and of the teacher's logits where there is a teacher.
Variable Training::loss_of(const Variable& logits, const Batch& batch, const Context& ctx) {
  if (!teacher_) {
    return softmax_cross_entropy(ctx, logits, batch.labels, {.label_smoothing = config_.label_smoothing});
  }
  const Tensor wanted = teacher_->logits(context(Mode::Eval), batch.pictures);
  return distillation_loss(
      ctx, logits, batch.labels,
      {.teacher = wanted, .lambda = config_.teacher_share, .label_smoothing = config_.label_smoothing});
}

/// From gradients to new weights and their average.
void Training::update(const Context& ctx) {
  const GradientSummary gradients = summarize_gradients(ctx.backend, parameters_);
  if (gradients.not_finite) fail_diverged("the gradient of " + describe_layer(*gradients.not_finite));
  if (config_.clip_norm != 0.0) clip_gradients(ctx.backend, parameters_, gradients, config_.clip_norm);
  optimizer_->step(ctx.backend, schedule_->rate(progress_.step));
  if (const auto where = find_non_finite_state(*net_)) fail_diverged(*where);  // which a clip would hide
  constrain_quantizers(*net_);
  if (average_) average_->update(ctx.backend, progress_.step);
}

void Training::fail_diverged(const std::string& where) const {
  throw Diverged("training diverged in epoch " + std::to_string(progress_.epoch + 1) + ", step " +
                 std::to_string(progress_.step_in_epoch + 1) + ": " + where +
                 " is not finite any more; the last good checkpoint is kept in '" + folder_->path() +
                 "'. Start again with a lower --lr and another --out");
}

void Training::finish_epoch(double seconds, std::uint64_t pictures, const TrainingListener& listener) {
  const double accuracy = test_accuracy();
  rows_.push_back({.epoch = progress_.epoch + 1,
                   .step = progress_.step,
                   .loss = progress_.loss_sum / static_cast<double>(progress_.seen),
                   .train_accuracy = ratio(progress_.correct, progress_.seen),
                   .test_accuracy = accuracy,
                   .lr = schedule_->rate(progress_.step - 1),
                   .seconds = seconds,
                   .images_per_second = static_cast<double>(pictures) / std::max(seconds, 1e-9),
                   .quantizers = quantizer_readings(*net_)});
  ++progress_.epoch;
  progress_.step_in_epoch = 0;
  progress_.seen = 0;
  progress_.correct = 0;
  progress_.loss_sum = 0;
  progress_.test_accuracy = accuracy;
  const bool best = accuracy > progress_.best_accuracy;
  if (best) {
    progress_.best_accuracy = accuracy;
    progress_.best_epoch = progress_.epoch;
  }
  // The checkpoint that resume reads comes last: a run killed in between repeats the epoch and writes the
  // rest again.
  folder_->write_metrics(rows_);
  std::vector<Scalar> scalars{{"test/accuracy", accuracy}};
  for (const Reading& reading : rows_.back().quantizers) scalars.push_back({reading.name, reading.value});
  events_->add(progress_.step, scalars);
  if (best) save(Which::Best);
  save(Which::Last);
  listener.epoch(rows_.back());
}

double Training::test_accuracy() {
  std::optional<WeightAverage::InPlace> averaged;
  if (config_.weights == kAveragedWeights) averaged.emplace(*average_);
  const engine::data::PictureSet& test = data_->test;
  const Context ctx = context(Mode::Eval);
  const PictureMaker pictures(test, task_.preprocessing);
  Loader loader(pictures, {.batch = kTestBatch, .workers = config_.loaders, .order = PictureOrder::AsStored});
  std::uint64_t correct = 0;
  for (std::size_t begin = 0; begin < test.count; begin += kTestBatch) {
    const Batch& batch = loader.next();
    correct += count_correct(net_->forward(ctx, Variable(batch.pictures)).value(), batch.labels);
  }
  return ratio(correct, test.count);
}

std::vector<std::byte> Training::checkpoint_bytes() {
  return serialize_checkpoint({.net = *net_,
                               .optimizer = *optimizer_,
                               .average = average_.get(),
                               .task = task_,
                               .progress = progress_,
                               .identity = identity_});
}

void Training::save(Which which) {
  cli::check(engine::write_file_atomically(folder_->checkpoint(which), checkpoint_bytes()));
}

}  // namespace bitplane::train
