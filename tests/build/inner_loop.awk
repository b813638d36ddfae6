# SPDX-License-Identifier: Apache-2.0
# Reads `objdump -d -C --no-show-raw-insn`; finds the loops of each function whose name matches `tile` that hold the instruction
# `multiply`, and tells of the innermost ones with the most of it: "FUNCTION: MULTIPLIES LOADS STORES". A loop is what lies between a
# jump backwards and its target.
function hex(text,   value, i) {
  value = 0
  for (i = 1; i <= length(text); ++i) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
  return value
}
function finish_function(   i, j, best, multiplies, loads, stores, inner) {
  best = 0
  for (i = 1; i <= count; ++i) {
    if (target[i] == 0 || target[i] > address[i]) continue
    multiplies = loads = stores = inner = 0
    for (j = i; j >= 1 && address[j] >= target[i]; --j) {
      if (j < i && target[j] != 0 && target[j] <= address[j] && target[j] > target[i]) inner = 1
      multiplies += operation[j] ~ multiply
      loads += is_load[j]
      stores += is_store[j]
    }
    if (!inner && multiplies > best) {
      best = multiplies
      line = multiplies " " loads " " stores
    }
  }
  if (best > 0) print name ": " line
  count = 0
}
/^[0-9a-f]+ <.*>:$/ {
  if (wanted) finish_function()
  name = $0
  sub(/^[0-9a-f]+ </, "", name)
  sub(/>:$/, "", name)
  wanted = index(name, tile) > 0
  next
}
wanted && /^ *[0-9a-f]+:/ {
  ++count
  address[count] = hex(substr($1, 1, length($1) - 1))
  operation[count] = $2
  target[count] = $2 ~ /^j/ ? hex($3) : 0
  # In AT&T's order the destination is last: a store ends in a memory operand. Comparisons and prefetches store nothing.
  memory = $0 ~ /\(/ && $2 !~ /^(lea|prefetch|nop)/
  is_store[count] = memory && $0 ~ /\)( *\{[^}]*\})? *(#.*|<.*)?$/ && $3 !~ /^[^,]*\([^)]*\)$/ && $2 !~ /^(cmp|test|prefetch)/
  is_load[count] = memory && !is_store[count]
}
END { if (wanted) finish_function() }
