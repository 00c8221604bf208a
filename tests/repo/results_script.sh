#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/results.sh from training to the page, with a list and a data set of its own. Usage: results_script.sh SOURCE_DIR BIN_DIR
set -u
if ! command -v jq >/dev/null; then echo "SKIPPED: jq is not installed"; exit 77; fi
script=$1/tools/results.sh commands=$2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
bad=0
complain() { echo "$1"; bad=1; }

# A data set: pictures of 8x8 that are bright above or below the middle.
idx() {  # idx FOLDER SPLIT COUNT
  local i
  { printf '\0\0\10\3\0\0\0'; printf "\\x$(printf %02x "$3")"; printf '\0\0\0\10\0\0\0\10'
    for ((i = 0; i < $3; ++i)); do
      if ((i % 2)); then printf '%032d%032d' 0 $((i * 7)) | tr '0-9' 'Aq-z'; else printf '%032d%032d' $((i * 7)) 0 | tr '0-9' 'q-zA'; fi
    done; } >"$1/$2-images-idx3-ubyte"
  { printf '\0\0\10\1\0\0\0'; printf "\\x$(printf %02x "$3")"
    for ((i = 0; i < $3; ++i)); do if ((i % 2)); then printf '\1'; else printf '\0'; fi; done; } >"$1/$2-labels-idx1-ubyte"
}
mkdir -p "$place/data/pictures"
idx "$place/data/pictures" train 128
idx "$place/data/pictures" t10k 32

# The commands, with a trainer that writes down what it is asked for, and is stopped after some steps where a file wants it.
mkdir "$place/bin"
ln -s "$commands/bitplane" "$place/bin/bitplane"
echo 0123456789abcdef >"$place/bin/revision"
cat >"$place/bin/trainer" <<TRAINER
#!/usr/bin/env bash
echo "\$1" >>"$place/calls"
if [ "\$1" = train ] && [ -e "$place/stop" ]; then
  rm "$place/stop"
  "$commands/trainer" "\$@" &
  for out; do :; done
  until [ -s "\$out/metrics.jsonl" ] || ! kill -0 \$! 2>/dev/null; do sleep 0.01; done
  kill -TERM \$!
  wait \$!
  exit
fi
exec "$commands/trainer" "\$@"
TRAINER
chmod +x "$place/bin/trainer"

cat >"$place/rows.json" <<'LIST'
{"data": {"idx": {"folder": "pictures", "title": "pictures"}, "cifar-10": {"folder": "no-such-folder", "title": "CIFAR-10", "open": "no pictures"}},
 "schedules": {"short": {"data": "idx", "net": "cnn-small", "epochs": 100, "seeds": 1, "flags": {"batch": 32, "width": 0.25}},
               "away": {"data": "cifar-10", "net": "cnn-small", "epochs": 1, "seeds": 2}},
 "rows": [{"in": ["short"], "method": "float", "bits": "32/32"},
          {"in": ["short"], "method": "qil", "bits": "2/2", "variant": "taught", "twin": "teacher"},
          {"in": ["short"], "method": "lq-nets", "bits": "2/2"},
          {"in": ["short"], "method": "gdrq", "bits": "2/2", "variant": "reshaped", "command": "quantize", "twin": "from-and-teacher", "epochs": 2},
          {"in": ["away"], "method": "float", "bits": "32/32"}],
 "papers": [{"data": "idx", "net": "cnn-small", "method": "lq-nets", "bits": "2/2", "float": 90, "accuracy": 88.5, "source": "a paper"}],
 "claims": [{"kind": "order", "claim": "first", "rows": ["short/lq-nets-2-2", "short/float-32-32"], "tolerance": 0.3},
            {"kind": "gap", "claim": "second", "rows": ["short/lq-nets-2-2"], "points": 0.5, "tried": "this and that"},
            {"kind": "paper-gap", "claim": "third", "rows": ["short/lq-nets-2-2"], "points": 9},
            {"kind": "best", "claim": "fourth", "rows": ["short/lq-nets-2-2", "away/float-32-32"], "accuracy": 99},
            {"kind": "order", "claim": "fifth", "rows": ["short/float-32-32", "away/float-32-32"], "tolerance": 0.3},
            {"kind": "shrinks", "claim": "sixth", "rows": ["short/qil-2-2-taught", "short/lq-nets-2-2"], "tolerance": 0.3},
            {"kind": "shrinks", "claim": "seventh", "rows": ["short/lq-nets-2-2", "away/float-32-32"], "tolerance": 0.3}],
 "open": []}
LIST

here=(--rows "$place/rows.json" --results "$place/results" --page "$place/page.md")
run() { bash "$script" "${here[@]}" --data-dir "$place/data" --work-dir "$place/work" --bin "$place/bin" "$@" >"$place/log" 2>&1; }
# expect CODE MESSAGE COMMAND...
expect() {
  local code=0
  "${@:3}" || code=$?
  [ "$code" = "$1" ] || { complain "$2: exit code $code, expected $1"; cat "$place/log"; }
}
calls() { grep -c "^$1\$" "$place/calls" 2>/dev/null; }

# The first row is stopped in the middle; the next call goes on with it.
touch "$place/stop"
expect 130 "a run that is stopped" run --only 'short/lq'
[ ! -e "$place/results" ] || [ -z "$(find "$place/results" -name '*.json')" ] || complain "a stopped run left a result"
expect 0 "what is missing" run --jobs 2
[ "$(calls train) $(calls resume)" = "3 1" ] || complain "trained $(calls train) times and resumed $(calls resume) times, expected 3 and 1"
[ "$(jq .sessions "$place/results/short/lq-nets-2-2.s1.json")" = 2 ] || complain "the row that was stopped does not say 2 sessions"
for row in float-32-32 qil-2-2-taught lq-nets-2-2 gdrq-2-2-reshaped; do
  [ -e "$place/results/short/$row.s1.json" ] || complain "no result of $row"
  grep -q "$place" "$place/results/short/$row.s1.json" && complain "the result of $row names a place of this machine"
done
jq -r '.commands[0]' "$place/results/short/gdrq-2-2-reshaped.s1.json" | grep -q -- '--from short/float-32-32.s1/run --teacher short/float-32-32.s1/run ' ||
  complain "the procedure with a teacher was run by another command"
grep -q '| 100 + 2 a stage |' "$place/page.md" || complain "the page does not say how long a procedure's stages train"
grep -q "away/float-32-32.s1: left out" "$place/log" || complain "a row without its data set was not named"

# What cannot be written down is not trained.
mkdir -p "$place/other/short/float-32-32.s1/command"
: >"$place/calls"
expect 1 "a command that cannot be written" bash -c '"$@" >"$0" 2>&1' "$place/log" bash "$script" --rows "$place/rows.json" \
  --results "$place/other_results" --page "$place/other_page.md" --data-dir "$place/data" --work-dir "$place/other" --bin "$place/bin" --only short/float
[ ! -s "$place/calls" ] || complain "a command that could not be written was run"

# Nothing is missing now.
: >"$place/calls"
cp "$place/page.md" "$place/first.md"
expect 0 "nothing to do" run
[ ! -s "$place/calls" ] || complain "a second call ran something: $(cat "$place/calls")"
expect 0 "--render" bash "$script" "${here[@]}" --render
cmp "$place/page.md" "$place/first.md" || complain "the page is not the same the second time"
grep -q '| 0 of 2 | not run yet |' "$place/page.md" || complain "the page does not say which rows were not run"

# The claims, from results with accuracies of our own.
result=$place/results/short/lq-nets-2-2.s1.json
cp "$result" "$place/good.json"
pretend() {  # pretend FILE ACCURACY
  jq ".accuracy.final = $2 | .accuracy.engine = $2" "$1" >"$place/new.json" && cp "$place/new.json" "$1"
}
says() {  # says CLAIM VERDICT
  grep -q "^| $1 | $2 |" "$place/page.md" || complain "claim $1: expected '$2': $(grep "^| $1 |" "$place/page.md")"
}
pretend "$place/results/short/float-32-32.s1.json" 0.95
pretend "$result" 0.9471
expect 0 "--render" bash "$script" "${here[@]}" --render
grep -q '^| second | holds | .*. Tried: this and that |' "$place/page.md" || complain "what was tried is not on the page"
says first "holds within 0.3"; says second "holds"; says seventh "not measured"; says third holds; says fourth "not measured"; says fifth "not measured"
grep -q '| lq-nets | 2/2 | .* | 94.71 | -0.29 | -1.50 (a paper) |' "$place/page.md" || complain "the row of lq-nets is wrong: $(grep '^| lq-nets' "$place/page.md")"
pretend "$result" 0.9455
expect 0 "--render" bash "$script" "${here[@]}" --render
says second "holds by less than 0.1"
pretend "$result" 0.954
expect 0 "--render" bash "$script" "${here[@]}" --render
says first holds
pretend "$result" 0.952
expect 0 "--render" bash "$script" "${here[@]}" --render
says first "holds within 0.3"
pretend "$result" 0.8
expect 0 "--render" bash "$script" "${here[@]}" --render
says first "does not hold"; says second "does not hold"; says third "does not hold"

# Schedules, the shortest first.
for figures in '0.94 0.946 holds' '0.94 0.938 holds within 0.3' '0.94 0.93 does not hold'; do
  read -r before after verdict <<<"$figures"
  pretend "$place/results/short/qil-2-2-taught.s1.json" "$before"
  pretend "$result" "$after"
  expect 0 "--render" bash "$script" "${here[@]}" --render
  says sixth "$verdict"
done

# A row of two seeds is compared with one of one seed over the seed that both have.
pretend "$result" 0.9471
jq '.seed = 2 | .accuracy.final = 0.5 | .accuracy.engine = 0.5' "$result" >"${result%1.json}2.json"
sed 's|"lq-nets", "bits": "2/2"},|"lq-nets", "bits": "2/2", "seeds": 2},|' "$place/rows.json" >"$place/two.json"
expect 0 "two seeds" bash "$script" --rows "$place/two.json" "${here[@]:2}" --render
grep -q '| 2 of 2 | 72.36 ± 31.61 | -0.29 (seed 1) |' "$place/page.md" || complain "the gap is not that of seed 1: $(grep '^| lq-nets' "$place/page.md")"
says second holds; says first "holds within 0.3"
grep -q '^| first .* 94.71, float-32-32 95.00 (seed 1) |' "$place/page.md" || complain "the order is not that of seed 1: $(grep '^| first' "$place/page.md")"
rm "${result%1.json}2.json"

# A page that cannot be computed leaves the old one.
cp "$place/page.md" "$place/first.md"
sed 's/"kind": "best"/"kind": "worst"/' "$place/rows.json" >"$place/wrong.json"
expect 3 "a claim of no known kind" bash -c '"$@" >"$0" 2>&1' "$place/log" bash "$script" --rows "$place/wrong.json" "${here[@]:2}" --render
grep -q "kind 'worst'" "$place/log" || complain "a claim of no known kind is not named: $(cat "$place/log")"
cmp "$place/page.md" "$place/first.md" || complain "a page that could not be computed was written"
[ -z "$(find "$place" -name '*.tmp-*')" ] || complain "left behind: $(find "$place" -name '*.tmp-*')"

# What is broken is refused by its name; settings that changed make a row out of date.
refused() {  # refused WHAT
  expect 3 "$1" bash -c '"$@" >"$0" 2>&1' "$place/log" bash "$script" "${here[@]}" --list
  grep -q 'lq-nets-2-2.s1.json' "$place/log" || complain "$1: the message does not name the file: $(cat "$place/log")"
}
head -c 100 "$place/good.json" >"$result"; refused "half a result"
jq 'del(.model_bytes)' "$place/good.json" >"$result"; refused "a result without its bytes"
jq '.verify = "failed"' "$place/good.json" >"$result"; refused "a result that was not verified"
jq '.accuracy.engine = 0.123' "$place/good.json" >"$result"; refused "an engine that disagrees"
jq '.seed = 2' "$place/good.json" >"$result"; refused "a result in another's place"
cp "$place/good.json" "$result"
sed -i 's|"lq-nets", "bits": "2/2"},*$|"lq-nets", "bits": "2/2", "flags": {"lr": 0.05}},|' "$place/rows.json"
bash "$script" "${here[@]}" --list >"$place/log"
grep -q '^outdated  short/lq-nets-2-2.s1' "$place/log" || complain "a row with other settings is not out of date: $(cat "$place/log")"
exit $bad
