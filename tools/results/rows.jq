# SPDX-License-Identifier: Apache-2.0
# From the list (rows.json) to rows with names and commands. The script and the renderer both use these, so what
# RESULTS.md says would run is what runs.

def bits_of: (.bits | split("/")) as $both | {wbits: ($both[0] | tonumber), abits: ($both[1] | tonumber)};

def slug: "\(.method)-\(.wbits)-\(.abits)" + (if .variant then "-\(.variant)" else "" end);

# What a row's float twin is to it -> the flags that take the twin's run.
def twin_flags: {"from": ["--from"], "teacher": ["--teacher"], "from-and-teacher": ["--from", "--teacher"]};

# The list's rows, one object per row and schedule, in the list's order; .name is the row's name everywhere.
def expanded:
  . as $list
  | [.rows[] as $row | $row.in[] as $key
     | ($list.schedules[$key] // error("rows.json: a row of \($row.method) is in schedule '\($key)', which is not in the list")) as $schedule
     | ($list.data[$schedule.data] // error("rows.json: schedule '\($key)' has data '\($schedule.data)', which is not in the list")) as $data
     | ($row + ($row | bits_of))
     | . + {schedule: $key, command: ($row.command // "train"), data: $schedule.data, net: $schedule.net,
            epochs: ($row.epochs // $schedule.epochs), seeds: ($row.seeds // $schedule.seeds), open: ($data.open // null),
            flags: (($schedule.flags // {}) + (if .method == "float" then $schedule.float else $schedule.quantized end // {})
                    + ($row.flags // {}) | with_entries(select(.value != null))),
            options: ($row.options // {})}
     | . + {name: "\(.schedule)/\(slug)", label: (.method + (if .variant then " (\(.variant))" else "" end))}
     | . + {twin: (if .twin then {how: .twin, row: "\(.schedule)/float-32-32"} else null end)}]
  | (group_by(.name) | map(select(length > 1) | .[0].name)) as $twice
  | if $twice != [] then error("rows.json: listed twice: \($twice | join(", "))") else . end
  | (map(.name)) as $names
  | [.[] | select(.twin) | .twin.row as $twin | select($names | index($twin) | not) | .name] as $alone
  | if $alone != [] then error("rows.json: no float row on the same schedule for \($alone | join(", "))") else . end
  | [.[] | select(.twin and twin_flags[.twin.how] == null) | "\(.name): twin is \(.twin.how | tojson), expected one of \(twin_flags | keys | join(", "))"] as $strange
  | if $strange != [] then error("rows.json: \($strange | join("; "))") else . end
  | (map({key: .name, value: {epochs, flags}}) | from_entries) as $all
  | map(if .twin then .twin += $all[.twin.row] else . end);

# The folder of a row's seed below the work folder; its run is in /run.
def folder($seed): "\(.name).s\($seed)";

# What a row is trained with, apart from seed, threads and places: rows made with other settings are out of date.
def settings: {command, method, wbits, abits, data, net, epochs, flags, options, twin};

# The arguments of the command that trains a row. $folders: data set -> folder to give as --data-dir.
def training_arguments($seed; $threads; $folders):
  folder($seed) as $here
  | (if .twin then "\(.twin.row).s\($seed)/run" else null end) as $twin_run
  | ["trainer", .command]
  + (if .twin then [twin_flags[.twin.how][] | ., $twin_run] else [] end)
  + ["--data", .data] + (if $folders[.data] then ["--data-dir", $folders[.data]] else [] end)
  + ["--net", .net, "--method", .method]
  + (if .method == "float" then [] else ["--wbits", "\(.wbits)", "--abits", "\(.abits)"] end)
  + ["--epochs", "\(.epochs)"]
  + [.flags | to_entries[] | "--\(.key)" as $flag | (.value | if type == "array" then .[] else . end) | $flag, "\(.)"]
  + [.options | to_entries[] | "--option", "\(.key)=\(.value)"]
  + ["--seed", "\($seed)", "--threads", "\($threads)", "--out", "\($here)/run"];

# One line for a shell.
def command_line: map(if test("^[A-Za-z0-9_./=,:+-]+$") then . else @sh end) | join(" ");

# What is wrong with a result (the JSON of one row and seed); nothing if it is whole. $row: its row in the list.
def faults($row; $seed):
  def kind($path; $wanted): getpath($path) as $value
    | if ($value | type) == $wanted then empty else "\($path | join(".")) is \($value | tojson), expected a \($wanted)" end;
  if type != "object" then "it is no JSON object" else
    kind(["row"]; "string"), kind(["seed"]; "number"), kind(["settings"]; "object"), kind(["commands"]; "array"),
    kind(["revisions"]; "array"), kind(["machine", "compiler"]; "string"), kind(["machine", "cpu"]; "string"),
    kind(["machine", "isa"]; "string"), kind(["data_digest", "train"]; "string"), kind(["data_digest", "test"]; "string"),
    kind(["test_pictures"]; "number"), kind(["test_correct"]; "number"), kind(["accuracy", "final"]; "number"),
    kind(["accuracy", "best"]; "number"), kind(["accuracy", "as_trained"]; "number"), kind(["accuracy", "engine"]; "number"),
    kind(["training_seconds"]; "number"), kind(["model_bytes"]; "number"), kind(["latency", "median_us"]; "number"),
    kind(["latency", "isa"]; "string"),
    (select(.verify != "passed") | "verify is \(.verify | tojson), expected \"passed\""),
    (select(.row != $row.name or .seed != $seed) | "it is of row \(.row | tojson) and seed \(.seed | tojson), its place is that of \($row.name) and seed \($seed)"),
    (select([.accuracy[]?] | any(type == "number" and (. < 0 or . > 1))) | "an accuracy is not between 0 and 1"),
    (select(.accuracy.final != .accuracy.engine) | "the engine's accuracy is not the trainer's")
  end;

# Of all results together ({place: result}): a line for each that is broken or of no row of the list.
def problems($rows):
  to_entries[] | .key as $place
  | ([$place | capture("^(?<name>.+)[.]s(?<seed>[1-9][0-9]*)$")] | .[0]) as $at
  | ([$rows[] | select(.name == $at.name)] | .[0]) as $row
  | if $row == null then "\($place).json is of no row of the list: remove it, or list its row"
    else [.value | faults($row; $at.seed | tonumber)] | select(. != []) | "\($place).json: \(join("; ")). Remove it, and the row runs again" end;
