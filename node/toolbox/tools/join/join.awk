# Joins two tables on one column each. The second is kept in memory, the first is read line by line and keeps its order.
# unmatched: lines of the first without partner too. partial: lines of the first that have no such column too.
# fill: "" or what stands in the columns that a line without partner lacks; width2: columns of the second.
BEGIN { FS = OFS = "\t"; fill = ENVIRON["JOIN_FILL"] }
{ sub(/\r$/, "") }
reading == 2 {
  if (FNR == 1 && header == 1) { header2 = $0; if (NF > width2) width2 = NF; next }
  if (/^[ \t]*$/ || field2 > NF) next
  if (NF > width2) width2 = NF
  count[$field2]++
  line[$field2, count[$field2]] = filling == 1 ? padded($0, NF, width2) : $0
  next
}
FNR == 1 && header == 1 { print $0, header2; next }
/^[ \t]*$/ { next }
{ if (NF > width1) width1 = NF }
field1 > NF { if (partial == 1) print alone(); next }
!($field1 in count) { if (unmatched == 1) print alone(); next }
{
  first = filling == 1 ? padded($0, NF, width1) : $0
  for (i = 1; i <= count[$field1]; i++) print first, line[$field1, i]
}
function padded(text, have, want) { while (have++ < want) text = text OFS fill; return text }
function alone() { return filling == 1 ? padded(padded($0, NF, width1), 0, width2) : $0 }
