#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains and measures the rows of tools/results/rows.json that are not done yet, and writes docs/RESULTS.md from all
# that are. One small JSON file per row and seed (docs/results/) is what counts; the run folders are only needed to go on.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/results.sh --data-dir DIR --work-dir DIR [--only PATTERN] [--jobs N] [--threads N]
       tools/results.sh --list [--only PATTERN]
       tools/results.sh --render

  --data-dir DIR      where the data sets lie, each in its folder (rows.json: data); a set that is not in it and has no usual
                      place is left out
  --work-dir DIR      run folders, models and the built commands; a row that was stopped goes on from here
  --only PATTERN      rows and seeds whose name holds PATTERN (with * and ?), as 'fashion*2-2.s1'; may be given again
  --jobs N            rows at a time (1)
  --threads N         threads of each training (1); no result but the time depends on them
  --list              the rows, and which are done; runs nothing
  --render            writes the page from what is done; runs nothing
  --bin DIR           commands to use instead of building them: trainer, bitplane, and a file named revision with the
                      commit that they were built from
  --rows FILE         another list of rows
  --results DIR       another folder of results (docs/results)
  --page FILE         another page (docs/RESULTS.md)

Exit codes: 0 done, 1 a row failed, 2 wrong usage, 3 a result or the list is broken, 130 stopped.
TEXT
}

fail() {  # fail CODE MESSAGE
  echo "results: error: $2" >&2
  exit "$1"
}

root=$(cd "$(dirname "$0")/.." && pwd)
programs=$root/tools/results
rows_file=$programs/rows.json results=$root/docs/results page=$root/docs/RESULTS.md
data_dir="" work="" bin="" jobs=1 threads=1 mode=run only=()
absolute() { case "$1" in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
while [ $# -gt 0 ]; do
  case "$1" in
    --data-dir | --work-dir | --bin | --rows | --results | --page | --only | --jobs | --threads)
      [ $# -ge 2 ] || fail 2 "$1 needs a value (tools/results.sh --help)" ;;
  esac
  case "$1" in
    --data-dir) data_dir=$(absolute "$2"); shift 2 ;;
    --work-dir) work=$(absolute "$2"); shift 2 ;;
    --bin) bin=$(absolute "$2"); shift 2 ;;
    --rows) rows_file=$(absolute "$2"); shift 2 ;;
    --results) results=$(absolute "$2"); shift 2 ;;
    --page) page=$(absolute "$2"); shift 2 ;;
    --only) only+=("$2"); shift 2 ;;
    --jobs | --threads)
      [[ $2 =~ ^[1-9][0-9]*$ ]] || fail 2 "$1 $2: give a number from 1"
      printf -v "${1#--}" %s "$2"; shift 2 ;;
    --list | --render) mode=${1#--}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) fail 2 "unknown option '$1' (tools/results.sh --help)" ;;
  esac
done
command -v jq >/dev/null || fail 2 "jq is not installed (Debian: apt-get install jq)"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp" "$page.tmp-$$"' EXIT
query() { jq -L "$programs" "$@"; }

# $tmp/rows.json: the list's rows, one per schedule, with names. $tmp/seeds: "NAME SEED" per line, in the list's order.
read_list() {
  query 'include "rows"; expanded' "$rows_file" >"$tmp/rows.json" || fail 3 "$rows_file is no list of rows"
  jq -r '.[] | .name as $name | range(1; .seeds + 1) | "\($name) \(.)"' "$tmp/rows.json" >"$tmp/seeds"
}
row_of() { jq -c --arg name "$1" '.[] | select(.name == $name)' "$tmp/rows.json"; }

# $tmp/results.json: {"NAME.sSEED": result}. A file that is no whole result, or of no row of the list, is an error.
read_results() {
  local files=() file problem
  if [ -d "$results" ]; then readarray -t files < <(find "$results" -name '*.json' | LC_ALL=C sort); fi
  if ! query -n --arg folder "$results/" '[inputs | {key: (input_filename | ltrimstr($folder) | rtrimstr(".json")), value: .}]
      | from_entries' "${files[@]}" </dev/null >"$tmp/read.json" 2>/dev/null ||
      [ "$(jq length "$tmp/read.json")" -ne ${#files[@]} ]; then
    for file in "${files[@]}"; do
      jq -e . "$file" >/dev/null 2>&1 || fail 3 "$file is no JSON: remove it, and the row runs again"
    done
  fi
  problem=$(query -r --slurpfile rows "$tmp/rows.json" 'include "rows"; [problems($rows[0])] | .[0] // ""' "$tmp/read.json")
  [ -z "$problem" ] || fail 3 "$results/$problem"
  query --slurpfile rows "$tmp/rows.json" 'include "rows"; map_values(. as $result
      | ($rows[0][] | select(.name == $result.row)) as $row | .outdated = ($result.settings != ($row | settings)))' \
      "$tmp/read.json" >"$tmp/results.json"
}

# $tmp/states: "STATE NAME SEED ACCURACY", STATE one of done, missing, outdated (made with other settings than the list's).
read_states() {
  read_list
  read_results
  jq -rn --slurpfile results "$tmp/results.json" --rawfile seeds "$tmp/seeds" '
      $seeds | split("\n")[] | select(. != "") | split(" ") as [$name, $seed]
      | ($results[0]["\($name).s\($seed)"]) as $result
      | (if $result == null then "missing" elif $result.outdated then "outdated" else "done" end)
        + " \($name) \($seed)" + (if $result then " \($result.accuracy.final * 10000 | round / 100)" else "" end)' >"$tmp/states"
}

wanted() {  # wanted NAME SEED
  [ ${#only[@]} -gt 0 ] || return 0
  local pattern
  for pattern in "${only[@]}"; do
    # shellcheck disable=SC2053  # a pattern is meant
    [[ $1.s$2 == *$pattern* ]] && return 0
  done
  return 1
}

render() {
  read_states
  query -rn --slurpfile list "$rows_file" --slurpfile results "$tmp/results.json" -f "$programs/render.jq" >"$page.tmp-$$" ||
    fail 3 "the page cannot be computed from $rows_file and $results"
  mv "$page.tmp-$$" "$page"
}

list() {
  read_states
  local state name seed accuracy
  while read -r state name seed accuracy; do
    if wanted "$name" "$seed"; then printf '%-9s %s.s%s%s\n' "$state" "$name" "$seed" "${accuracy:+  $accuracy %}"; fi
  done <"$tmp/states"
}

# The commands of one revision are copied into the work folder, so that a build in between changes no row.
sources=(kernels engine trainer cmake third_party CMakeLists.txt CMakePresets.json)
prepare_commands() {
  if [ -z "$bin" ]; then
    local revision
    [ -z "$(git -C "$root" status --porcelain -- "${sources[@]}")" ] ||
      fail 2 "there are uncommitted changes in ${sources[*]}: commit them, so that a row can say what made it"
    revision=$(git -C "$root" log -1 --format=%H -- "${sources[@]}")
    bin=$work/bin/$revision
    if [ ! -e "$bin/revision" ]; then
      (cd "$root" && cmake --preset release && cmake --build --preset release --target trainer_command bitplane_command) >&2
      mkdir -p "$bin"
      cp "$root"/build/release/bin/{trainer,bitplane} "$bin"
      echo "$revision" >"$bin/revision"
    fi
  fi
  local file
  for file in trainer bitplane revision; do [ -e "$bin/$file" ] || fail 2 "$bin has no $file"; done
  PATH=$bin:$PATH
}

# $tmp/folders: {"DATA": folder to give as --data-dir}; the work folder's link data/ is --data-dir, so that commands name
# no place of this machine.
find_data() {
  echo '{}' >"$tmp/folders"
  [ -n "$data_dir" ] || return 0
  ln -sfn "$data_dir" "$work/data"
  local name folder
  while read -r name folder; do
    [ -d "$data_dir/$folder" ] || continue
    jq --arg name "$name" --arg folder "data/$folder" '.[$name] = $folder' "$tmp/folders" >"$tmp/folders.new"
    mv "$tmp/folders.new" "$tmp/folders"
  done < <(jq -r '.data | to_entries[] | "\(.key) \(.value.folder)"' "$rows_file")
}
has_data() {  # has_data ROW_JSON
  jq -e --slurpfile folders "$tmp/folders" --slurpfile list "$rows_file" \
     '.data as $data | $folders[0][$data] or $list[0].data[$data].usual_place == true' <<<"$1" >/dev/null
}

command_text() {  # command_text COMMAND...: as one types it
  local text
  printf -v text '%q ' "$@"
  echo "${text% }"
}
say() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$1" >&2; }

# Runs a command that shall get our SIGTERM too, and waits for its end.
attended() {
  "$@" &
  local child=$! code=0
  trap 'kill -TERM '"$child"' 2>/dev/null' TERM
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do wait "$child" || code=$?; done
  trap - TERM
  return "$code"
}

# Trains a row's seed to its end, from where it stopped; its float twin first, where it needs that run.
train() {  # train ROW_JSON SEED; in the work folder
  local row=$1 seed=$2 folder settings twin text arguments lock code=0
  folder=$(query -r "include \"rows\"; folder($seed)" <<<"$row")
  mkdir -p "$folder"
  exec {lock}>"$folder/lock"
  flock "$lock"
  settings=$(query -cS 'include "rows"; settings' <<<"$row")
  if [ -e "$folder/settings.json" ] && [ "$(cat "$folder/settings.json")" != "$settings" ]; then
    echo "results: error: $work/$folder was begun with other settings: remove it" >&2
    return 1
  fi
  echo "$settings" >"$folder/settings.json"
  if [ ! -e "$folder/trained" ]; then
    twin=$(jq -r '.twin.row // ""' <<<"$row")
    [ -z "$twin" ] || train "$(row_of "$twin")" "$seed"
    grep -qxFf "$bin/revision" "$folder/revisions" 2>/dev/null || cat "$bin/revision" >>"$folder/revisions"
    if [ -e "$folder/run/checkpoint-last.safetensors" ]; then
      say "$folder: going on"
      arguments=(trainer resume "$folder/run" --threads "$threads")
    else  # a procedure goes on by the command that began it
      [ -e "$folder/run/procedure.json" ] || rm -rf "$folder/run"
      say "$folder: training"
      text=$(query -r --slurpfile folders "$tmp/folders" \
          "include \"rows\"; training_arguments($seed; $threads; \$folders[0])[]" <<<"$row")
      readarray -t arguments <<<"$text"
      command_text "${arguments[@]}" >"$folder/command"
      : >"$folder/train.log"
    fi
    attended "${arguments[@]}" >"$folder/train.out" 2>>"$folder/train.log" || code=$?
    [ "$code" -eq 0 ] || { tail -n 1 "$folder/train.log" >&2; return "$code"; }
    : >"$folder/trained"
  fi
  exec {lock}>&-
}

# Everything after training: the model file, the engine against the trainer, the latency; then the row's JSON, at once.
measure() {  # measure ROW_JSON SEED; in the work folder
  local row=$1 seed=$2 folder data data_arguments=() place last run
  folder=$(query -r "include \"rows\"; folder($seed)" <<<"$row")
  data=$(jq -r .data <<<"$row")
  place=$(jq -r --arg data "$data" '.[$data] // ""' "$tmp/folders")
  [ -z "$place" ] || data_arguments=(--data-dir "$place")
  cp "$folder/command" "$folder/commands"
  step() {  # step OUTPUT COMMAND...
    command_text "${@:2}" >>"$folder/commands"
    "${@:2}" >"$folder/$1" 2>"$folder/measure.log" || { local code=$?; tail -n 1 "$folder/measure.log" >&2; return "$code"; }
  }
  say "$folder: measuring"
  last=$(find "$folder/run" -name provenance.json | sort -V | tail -n 1)  # of a procedure: its last stage
  run=$(dirname "$last")
  step export.out trainer export "$run" --out "$folder/model.safetensors"
  step eval.json trainer eval "$run" "${data_arguments[@]}" --threads "$threads" --trace "$folder/trace" --json
  step verify.json bitplane verify "$folder/model.safetensors" --trace "$folder/trace" "${data_arguments[@]}" --threads "$threads" --json
  step engine.json bitplane eval "$folder/model.safetensors" --data "$data" "${data_arguments[@]}" --threads "$threads" --json
  step bench.json bitplane bench "$folder/model.safetensors" --threads 1 --json
  rm -f "$folder/trace"
  find "$folder/run" -name metrics.jsonl | sort -V | xargs cat >"$folder/metrics.jsonl"
  mkdir -p "$(dirname "$results/$folder")"
  query -n --argjson row "$row" --argjson seed "$seed" --rawfile commands "$folder/commands" --rawfile revisions "$folder/revisions" \
        --slurpfile provenance "$last" --slurpfile config "$run/config.json" --slurpfile epochs "$folder/metrics.jsonl" \
        --slurpfile last_epochs "$run/metrics.jsonl" --slurpfile eval "$folder/eval.json" \
        --slurpfile verify "$folder/verify.json" --slurpfile engine "$folder/engine.json" --slurpfile bench "$folder/bench.json" \
        --argjson bytes "$(wc -c <"$folder/model.safetensors")" -f "$programs/result.jq" >"$folder/result.json"
  local wrong
  wrong=$(query -r --argjson row "$row" --argjson seed "$seed" 'include "rows"; [faults($row; $seed)] | join("; ")' "$folder/result.json")
  [ -z "$wrong" ] || { echo "results: error: $folder: $wrong" >&2; return 1; }
  cp "$folder/result.json" "$results/$folder.json.tmp-$$"
  mv "$results/$folder.json.tmp-$$" "$results/$folder.json"
  say "$folder: done, $(jq -r '.accuracy.final * 10000 | round / 100' "$folder/result.json") %"
}

work_on() {  # work_on NAME SEED; a process of its own
  local place="$1.s$2" row
  trap 'code=$?; [ $code -eq 0 ] || echo "$code '"$place"'" >>"$tmp/failed"' EXIT
  row=$(row_of "$1")
  train "$row" "$2"
  measure "$row" "$2"
}

run_missing() {
  [ -n "$work" ] || fail 2 "give --work-dir DIR: run folders and models are kept there"
  read_states
  mkdir -p "$work"
  prepare_commands
  find_data
  cd "$work"
  : >"$tmp/failed"
  local state name seed workers=() stopped=no
  trap 'stopped=yes; [ ${#workers[@]} -eq 0 ] || kill -TERM "${workers[@]}" 2>/dev/null' INT TERM
  while read -r state name seed _ <&3; do
    [ "$stopped" = no ] && ! grep -q '^130 ' "$tmp/failed" || break
    [ "$state" != done ] && wanted "$name" "$seed" || continue
    if ! has_data "$(row_of "$name")"; then
      say "$name.s$seed: left out, its data set is not in --data-dir"
      continue
    fi
    work_on "$name" "$seed" 3<&- &
    workers+=($!)
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
  done 3<"$tmp/states"
  while [ -n "$(jobs -rp)" ]; do wait || true; done
  trap - INT TERM
  render
  [ "$stopped" = no ] && ! grep -q '^130 ' "$tmp/failed" || fail 130 "stopped; the same command goes on"
  [ ! -s "$tmp/failed" ] || fail 1 "these rows failed: $(cut -d' ' -f2 "$tmp/failed" | xargs)"
}

# On one line: bash reads a script while it runs, and this one may be edited during the days that it takes.
case "$mode" in run) run_missing ;; list) list ;; render) render ;; esac; exit
