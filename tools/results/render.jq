# SPDX-License-Identifier: Apache-2.0
# RESULTS.md from the list ($list[0]) and the results ($results[0], by row and seed). Its numbers are computed here; what was
# tried beside the rows is text of the list.
include "rows";
include "claims";

def spread: . as $values | (add / length) as $mean
  | if length < 2 then "" else " ± " + ([$values[] | (. - $mean) | . * .] | add / (($values | length) - 1) | sqrt | two) end;
def median: sort | (length / 2 | floor) as $half | if length % 2 == 1 then .[$half] else (.[$half - 1] + .[$half]) / 2 end;
def bytes: if . >= 1048576 then "\(. / 1048576 | two) MiB" else "\(. / 1024 | two) KiB" end;
def latency: if . >= 1000 then "\(. / 1000 | two) ms" else "\(. * 10 | round / 10) µs" end;
# Lines of at most 132 columns; those behind the first begin with $indent.
def wrapped($indent): reduce split(" ")[] as $word ([];
    if . != [] and (.[-1] + " " + $word | length) <= 132 then .[-1] += " " + $word
    else . + [(if . == [] then "" else $indent end) + $word] end) | join("\n");
def line: "| " + join(" | ") + " |";

# The list's rows with what was measured: .done (results by seed), .mean (%), .complete, .paper.
def measured:
  ($list[0] | expanded)
  | map(. as $row
        | .done = [range(1; .seeds + 1) as $seed | $results[0]["\($row.name).s\($seed)"] // empty | select(.outdated | not)]
        | .mean = (if .done == [] then null else [.done[].accuracy.final * 100] | add / length end)
        | .complete = ((.done | length) == .seeds)
        | .paper = ([$list[0].papers[] | select(.data == $row.data and .net == $row.net and .method == $row.method
                                                and .bits == $row.bits and .variant == $row.variant)] | .[0]));

# "vgg-7", or "vgg-7 x 0.5": with that width.
def net_text: .net + (if .flags.width then " x \(.flags.width)" else "" end);

# Of a procedure: those of its float net, and of each of its stages that trains.
def epochs_text($twin): if .command == "quantize" then "\($twin.epochs) + \(.epochs) a stage" else "\(.epochs)" end;

def cells($rows):
  . as $row | ($rows | twin_of($row)) as $twin
  | [.label, "\(.wbits)/\(.abits)", net_text, $list[0].data[.data].title, epochs_text($twin), "\(.done | length) of \(.seeds)"]
  + (if .done == [] then ["not run yet"] else [(.mean | two) + ([.done[].accuracy.final * 100] | spread)] end)
  + [if .method == "float" then "" else gap_to($twin) | if . then (.gap | signed) + .seeds else "not known yet" end end]
  + [if .paper then "\(.paper.accuracy - .paper.float | signed) (\(.paper.source))" else "" end]
  + (if .done == [] then ["", ""] else
       [([.done[].model_bytes] | median | bytes),
        ([.done[].latency.median_us] | median | latency) + " (" + ([.done[].latency.isa] | unique | join(", ")) + ")"] end);

def table($rows):
  (["method", "bits", "net", "data", "epochs", "seeds", "accuracy (%)", "gap to float", "paper's gap", "model", "latency"] | line),
  "|---|---|---|---|---|---|---|---|---|---|---|",
  (.[] | cells($rows) | line);

def folders: $list[0].data | with_entries(.value = "data/\(.value.folder)" | select(.key as $name | $list[0].data[$name].usual_place | not));

def commands:
  "<details><summary>Commands</summary>", "", "```sh",
  (.[] | if .done == [] then "# \(.name), not run yet", (training_arguments(1; 1; folders) | command_line)
         else "# \(.name), seed \(.done[0].seed)", .done[0].commands[] end),
  "```", "", "</details>", "";

def section($rows):
  . as $key | $list[0].schedules[$key] as $schedule
  | [$rows[] | select(.schedule == $key)]
  | "## \($list[0].data[$schedule.data].title), \($schedule | net_text), \($schedule.epochs) epochs", "",
    (if .[0].open then ("Open: \(.[0].open). The commands below would run it." | wrapped("")), "" else empty end),
    table($rows), "", commands;

# Rows of procedures whose stages all have the seed of the float run; each has one of its own now.
def same_seed: [.[] | select(.command == "quantize" and .epochs > 0) | select(any(.done[]; .config.seed == .seed)) | "`\(.name)`"];

def machines: [$results[0][] | .machine | "\(.cpu), \(.compiler), \(.isa)"] | unique;
def digests: [$results[0][] | {key: .settings.data, value: .data_digest}] | unique;

measured as $rows
| (["# Results", "",
    "Written by `tools/results.sh` from `tools/results/rows.json` (the list) and the files in `docs/results/` (one per row and seed);",
    "edit those. `tools/results.sh --data-dir DIR --work-dir DIR` runs what is missing.", "",
    "- **Accuracy**: top-1 on the whole test set after the last epoch (never the best one), by the engine on the exported model file.",
    "  The trainer's own evaluation gave the same number, and `bitplane verify` found every code and every logit equal to the",
    "  trainer's. Mean over the seeds ± their standard deviation.",
    "- **Epochs**: a row like `6 + 2 a stage` starts from the run of its float row and trains so long in each stage of its procedure",
    "  (where its command has --set STAGE.epochs, that stage trains so long): more epochs than its float row in all.",
    "- **Gap to float**: points above or below the float row of the same table: same data, net, epochs and schedule of the learning",
    "  rate, over the seeds that both have. Methods differ in weight decay where the command names none: then it is the method's",
    "  default.",
    "- **Choice of settings**: rates, decays, options and epochs of rows were tried on a few seeds and chosen by test accuracy (there",
    "  is no validation split), so a margin of a few hundredths tells nothing.",
    "- **First and last layers** are float, but quantized in `slq`, `eslq` and `mlq`, and the first one's weights in `gdrq`, as their",
    "  papers have it; where a command names `layers`, that counts (`gdrq (inner)`: both float, as in the methods that it is compared",
    "  with).",
    "- **Paper's gap**: the same difference in the paper's table, for the same net (at full width), data and bits; papers train much",
    "  longer. `resnet-20` has pre-activation blocks, as LQ-Nets' has; SLQ's and MLQ's papers have post-activation ones.",
    "- **Model**: bytes of the file. **Latency**: `bitplane bench`, one picture, one thread, median over the seeds' medians. Other work",
    "  ran on the machine, so compare latencies with care.",
    "- Commands run in the work folder with `data` a link to `--data-dir`; `trainer` and `bitplane` are those of the row's `revisions`.", "",
    ("\([$rows[].done[]] | length) of \([$rows[].seeds] | add) runs of \($rows | length) rows are done." + (
      [$results[0][] | select(.outdated) | "\(.row), seed \(.seed): \(.accuracy.final * 100 | two) %"]
      | if . == [] then "" else " Done with settings that the list no longer has, and to run again: \(join("; "))." end) | wrapped("")), ""]
   + ($rows | same_seed | if . == [] then [] else
        ["Made when each stage of a procedure still began with the float run's order of pictures (docs/METHODS.md says what is done now), so today's trainer gives other numbers: \(join(", "))." | wrapped(""), ""] end)
   + (if machines == [] then [] else ["Made on: \(machines | join("; "))." | wrapped(""), ""] end)
   + (if digests == [] then [] else
        ["| data | SHA-256 of training and test pictures |", "|---|---|"]
        + [digests[] | [.key, "`\(.value.train)` `\(.value.test)`"] | line] + [""] end)
   + ["## What was to hold", "",
      "Judged from the tables, over the seeds that all rows of a claim have; a row counts once all its seeds are done. An order `holds",
      "within 0.3` where two neighbours differ by no more than that, whichever is ahead: as large as the noise, so no order is to be",
      "seen there. What `holds by less than 0.1` could as well have missed.", "",
      (["claim", "", "measured"] | line), "|---|---|---|"]
   + [$list[0].claims[] | judged($rows)
      | [.claim, .verdict, .why + (if .verdict != "not measured" and .tried != "" then ". Tried: \(.tried)" else "" end)] | line]
   + [""]
   + [$list[0].schedules | keys_unsorted[] | section($rows)]
   + ["## Not possible yet", ""] + [$list[0].open[] | "- \(.what): \(.why)." | wrapped("  ")])[]
