# SPDX-License-Identifier: Apache-2.0
# Whether the list's claims hold, from measured rows (rows with .done, .mean, .complete and .paper; see render.jq).
# A row counts once all its seeds are done.

def two: (. * 100 | round) as $n | (if $n < 0 then "-" else "" end)
  + (($n | fabs) as $m | "\($m / 100 | floor)." + ($m % 100 | if . < 10 then "0\(.)" else "\(.)" end));
def signed: if (. * 100 | round) > 0 then "+" + two else two end;

def verdict($holds; $why): {verdict: (if $holds then "holds" else "does not hold" end), why: $why};
# $rows: to tell rows that are not done from rows that the list does not have yet.
def not_measured($rows; $names): {verdict: "not measured", why: ("waits for " + ($names
  | map(. as $name | "`\($name)`" + (if $rows | any(.name == $name) then "" else " (not in the list yet)" end)) | join(", ")))};

# The float row on the same data, net and schedule, by rule.
def twin_of($row): map(select(.method == "float" and .schedule == $row.schedule)) | .[0];

# Rows are compared over the seeds that all of them have: seeds differ by more than many methods do.
def common_seeds: [.[] | [.done[].seed]] | . as $all | (.[0] // []) | map(select(. as $seed | $all | all(index([$seed]) != null)));
def mean_over($seeds): [.done[] | select(.seed as $seed | $seeds | index([$seed])) | .accuracy.final * 100]
  | if . == [] then null else add / length end;
# Of rows that have more seeds than those: " (seed 1)".
def seeds_text($seeds): if all(.[]; [.done[].seed] == $seeds) then ""
  else " (seed\(if ($seeds | length) == 1 then "" else "s" end) \($seeds | map(tostring) | join(", ")))" end;

# Points of a row above its twin, and over which seeds; null without a twin or a seed that both have.
def gap_to($twin): . as $row | if $twin == null then null else
  ([$row, $twin] | common_seeds) as $seeds | ($twin | mean_over($seeds)) as $float
  | if $float == null then null else {gap: (($row | mean_over($seeds)) - $float), float: $float, seeds: ([$row, $twin] | seeds_text($seeds)),
                                      mean: ($row | mean_over($seeds))} end end;
def complete_gap($rows): . as $row | ($rows | twin_of($row)) as $twin
  | if $twin != null and $twin.complete and .complete then gap_to($twin) else null end;

def found($rows; $name): ($rows[] | select(.name == $name)) // {name: $name, complete: false, done: []};

# limits: of a row, {mean, least, seeds}, null if its float row is not done. Less than a tenth above the least is said: it is
# less than the noise.
def each_at_least($rows; $names; limits):
  [$names[] as $name | found($rows; $name)
   | . as $row | (if .complete then limits else null end) as $limits
   | {name, complete, known: ($limits != null), needs: "\(.schedule)/float-32-32"} + ($limits // {})]
  | map(select(.known)) as $known
  | [$known[] | select(.mean < .least)] as $below
  | ([$known[] | "`\(.name)` \(.mean | two), needs \(.least | two)\(.seeds)"] | join("; ")) as $why
  | if $below != [] then verdict(false; $why)
    elif ($known | length) < ($names | length) then not_measured($rows; [.[] | select(.known | not) | if .complete then .needs else .name end])
    elif any($known[]; .mean - .least < 0.1) then {verdict: "holds by less than 0.1", why: $why}
    else verdict(true; $why) end;

# [{name, text, value}], what is to be largest first; null: not known. Each may fall behind the next one by the tolerance. The
# verdict says where neighbours are so near to each other that no order is to be seen.
def in_order($rows; $tolerance):
  . as $chain
  | [.[] | select(.value == null) | .name] as $open
  | ([.[] | select(.value != null) | .text] | join(", ")) as $why
  | [range(1; length) as $i | select($chain[$i - 1].value != null and $chain[$i].value != null) | $chain[$i - 1].value - $chain[$i].value] as $steps
  | if any($steps[]; . < -$tolerance) then verdict(false; $why)
    elif $open != [] then not_measured($rows; $open)
    elif any($steps[]; . <= $tolerance) then {verdict: "holds within \($tolerance)", why: $why}
    else verdict(true; $why) end;

def rows_in_order($rows; $names; $tolerance):
  [$names[] as $name | found($rows; $name)]
  | ([.[] | select(.complete)] | common_seeds) as $seeds
  | ([.[] | select(.complete)] | seeds_text($seeds)) as $of
  | [.[] | (if .complete then mean_over($seeds) else null end) as $value
     | {name, $value, text: (if $value == null then "" else "\(.name | split("/")[1]) \($value | two)" end)}]
  | in_order($rows; $tolerance) | if .verdict != "not measured" then .why += $of else . end;

# Rows of one method on ever longer schedules, the shortest first.
def gaps_shrink($rows; $names; $tolerance):
  [$names[] as $name | found($rows; $name) | complete_gap($rows) as $gap
   | {name, value: $gap.gap, text: (if $gap then "\(.epochs) epochs \($gap.gap | signed)\($gap.seeds)" else "" end)}]
  | ([.[] | select(.value != null) | .text] | join(", ")) as $why
  | reverse | in_order($rows; $tolerance) | if .verdict != "not measured" then .why = $why else . end;

# The best of the rows that are complete against a number, or against a row.
def best_at_least($rows; $names; $accuracy; $against):
  [$rows[] | select(.name as $name | .complete and ($names | index($name)))] as $known
  | (if $accuracy then [] else [$rows[] | select(.name == $against and .complete)] end) as $rival
  | ($known + $rival | common_seeds) as $seeds
  | (if $accuracy then $accuracy else $rival | .[0] | if . then mean_over($seeds) else null end end) as $least
  | ([$names[] as $name | select($known | all(.name != $name)) | $name] + (if $least == null then [$against] else [] end)) as $open
  | ($known | max_by(mean_over($seeds))) as $best
  | if $best == null or $least == null then not_measured($rows; $open)
    else ($best | mean_over($seeds)) as $mean
      | "`\($best.name)` \($mean | two), needs \($least | two)\($known + $rival | seeds_text($seeds))" as $why
      | if $mean >= $least then verdict(true; $why)
        elif $open != [] then not_measured($rows; $open)
        else verdict(false; $why) end end;

# A claim of the list -> {claim, verdict, why, tried}.
def judged($rows):
  . as $claim
  | {claim, tried: (.tried // "")}
  + (if .kind == "at-least" then each_at_least($rows; .rows; {mean, least: $claim.accuracy, seeds: ""})
     elif .kind == "gap" then
       each_at_least($rows; .rows; complete_gap($rows) | if . then {mean, least: (.float - $claim.points), seeds} else null end)
     elif .kind == "paper-gap" then
       each_at_least($rows; .rows; .paper as $paper | complete_gap($rows)
         | if . and $paper then {mean, least: (.float + ($paper.accuracy - $paper.float) - $claim.points), seeds} else null end)
     elif .kind == "order" then rows_in_order($rows; .rows; .tolerance)
     elif .kind == "shrinks" then gaps_shrink($rows; .rows; .tolerance)
     elif .kind == "best" then best_at_least($rows; .rows; .accuracy; .row)
     else error("rows.json: claim '\(.claim)' has kind '\(.kind)': known are at-least, gap, paper-gap, order, shrinks, best") end);
