# SPDX-License-Identifier: Apache-2.0
# The JSON of one row and seed, from what the commands printed and the run folder holds. ($last_epochs: of a procedure's last
# stage, which may have none.)
include "rows";

($provenance[0].data_digest | split(" ")) as $digests
| ($provenance[0].sessions[-1]) as $session
| {
    row: $row.name,
    seed: $seed,
    settings: ($row | settings),
    # The teacher as a folder below the work folder: the run has its whole path.
    config: ($config[0] | del(.out, .data_dir, .threads, .loaders) | .teacher |= (split("/")[-3:] | join("/"))),
    commands: ($commands | split("\n") | map(select(. != ""))),
    revisions: ($revisions | split("\n") | map(select(. != ""))),
    sessions: ($provenance[0].sessions | length),
    machine: {compiler: $session.compiler, cpu: $session.cpu, isa: $session.isa, threads: $session.threads},
    data_digest: {train: $digests[0], test: $digests[1]},
    test_pictures: $eval[0].test_pictures,
    test_correct: $eval[0].test_correct,
    accuracy: {
      final: $eval[0].test_accuracy,
      best: ([$last_epochs[].test_accuracy] | max // $eval[0].test_accuracy),
      as_trained: ($last_epochs[-1].test_accuracy // $eval[0].test_accuracy),
      engine: ($engine[0].correct / $engine[0].pictures)
    },
    verify: (if $verify[0].passed and $verify[0].trace.logits_equal then "passed" else "failed" end),
    model_bytes: $bytes,
    latency: {median_us: ($bench[0].median_us_per_picture * 100 | round / 100), threads: $bench[0].threads, isa: $bench[0].isa,
              repetitions: $bench[0].repetitions},
    training_seconds: ([0, $epochs[].seconds] | add * 10 | round / 10)
  }
