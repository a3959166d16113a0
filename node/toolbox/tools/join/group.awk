# Rounds columns of datamash's answer to whole numbers. "columns": a list of numbers with commas.
BEGIN { FS = OFS = "\t"; many = split(columns, parts, ","); for (i = 1; i <= many; i++) wanted[parts[i]] = 1 }
{
  for (c in wanted) if ($c ~ /^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$/) $c = $c < 0 ? -int(-$c + 0.5) : int($c + 0.5)
  print
}
