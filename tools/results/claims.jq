# SPDX-License-Identifier: Apache-2.0
# Whether the list's claims hold, from measured rows (rows with .mean, .complete and .paper; see render.jq).
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

# at_least: of a row, the least accuracy that satisfies; null if its float row is not done.
def each_at_least($rows; $names; at_least):
  [$names[] as $name | ($rows[] | select(.name == $name)) // {name: $name, complete: false}
   | . as $row | ($row | at_least) as $least
   | {name, complete, known: (.complete and $least != null), mean, least: $least, needs: "\(.schedule)/float-32-32"}]
  | map(select(.known)) as $known
  | [$known[] | select(.mean < .least)] as $below
  | ([$known[] | "`\(.name)` \(.mean | two), needs \(.least | two)"] | join("; ")) as $why
  | if $below != [] then verdict(false; $why)
    elif ($known | length) < ($names | length) then not_measured($rows; [.[] | select(.known | not) | if .complete then .needs else .name end])
    else verdict(true; $why) end;

# Better rows first; each may fall behind the next one by the tolerance, and the verdict says if one does.
def in_order($rows; $names; $tolerance):
  [$names[] as $name | ($rows[] | select(.name == $name)) // {name: $name, complete: false}] as $chain
  | [$chain[] | select(.complete | not) | .name] as $open
  | ([$chain[] | select(.complete) | "\(.name | split("/")[1]) \(.mean | two)"] | join(", ")) as $why
  | if [range(1; $chain | length) as $i | $chain[$i - 1:$i + 1] | select(all(.complete)) | .[0].mean < .[1].mean - $tolerance] | any
      then verdict(false; $why)
    elif $open != [] then not_measured($rows; $open)
    elif [range(1; $chain | length) as $i | $chain[$i - 1].mean < $chain[$i].mean] | any
      then {verdict: "holds within \($tolerance)", why: $why}
    else verdict(true; $why) end;

# The best of the rows that are complete against a number, or against a row.
def best_at_least($rows; $names; $least; $against):
  [$rows[] | select(.name as $name | .complete and ($names | index($name)))] as $known
  | ([$names[] as $name | select($known | all(.name != $name)) | $name] + (if $least == null then [$against] else [] end)) as $open
  | ($known | max_by(.mean)) as $best
  | if $best == null or $least == null then not_measured($rows; $open)
    elif $best.mean >= $least then verdict(true; "`\($best.name)` \($best.mean | two), needs \($least | two)")
    elif $open != [] then not_measured($rows; $open)
    else verdict(false; "`\($best.name)` \($best.mean | two), needs \($least | two)") end;

def mean_of($rows; $name): [$rows[] | select(.name == $name and .complete) | .mean] | .[0];
def twin_mean($rows): . as $row | ($rows | twin_of($row)) as $twin
  | if $twin != null and $twin.complete then $twin.mean else null end;

# A claim of the list -> {claim, verdict, why, tried}.
def judged($rows):
  . as $claim
  | {claim, tried: (.tried // "")}
  + (if .kind == "at-least" then each_at_least($rows; .rows; $claim.accuracy)
     elif .kind == "gap" then each_at_least($rows; .rows; twin_mean($rows) as $twin | if $twin then $twin - $claim.points else null end)
     elif .kind == "paper-gap" then
       each_at_least($rows; .rows; twin_mean($rows) as $twin
         | if $twin and .paper then $twin + (.paper.accuracy - .paper.float) - $claim.points else null end)
     elif .kind == "order" then in_order($rows; .rows; .tolerance)
     elif .kind == "best" then best_at_least($rows; .rows; (.accuracy // mean_of($rows; $claim.row)); .row)
     else error("rows.json: claim '\(.claim)' has kind '\(.kind)': known are at-least, gap, paper-gap, order, best") end);
