# Writes the chosen columns in upper or lower case. Delimiters stay as they are in the line.
BEGIN {
  separator["TAB"] = "\t"; separator["WHITESPACE"] = "[ \t]+"; separator["DOT"] = "[.]"; separator["COMMA"] = ","
  separator["DASH"] = "-"; separator["UNDERSCORE"] = "_"; separator["PIPE"] = "[|]"
  gsub(/[ ]/, "", columns)
  many = split(tolower(columns), parts, ",")
  for (i = 1; i <= many; i++) {
    from = to = substr(parts[i], 2) + 0
    if (split(parts[i], ends, "-") == 2) { from = substr(ends[1], 2) + 0; to = substr(ends[2], 2) + 0 }
    for (c = from; c <= to; c++) wanted[c] = 1
  }
}
{
  rest = $0; line = ""; column = 0
  for (;;) {
    column++
    found = match(rest, separator[kind])
    field = found ? substr(rest, 1, RSTART - 1) : rest
    line = line (column in wanted ? (upper ? toupper(field) : tolower(field)) : field)
    if (!found) break
    line = line substr(rest, RSTART, RLENGTH)
    rest = substr(rest, RSTART + RLENGTH)
  }
  print line
}
