# Reads one expression over the columns of a table and writes the awk program that computes it. Nothing of the text
# gets into the program as it stands: numbers and columns are checked character by character, texts become octal
# escapes, and every name is one of those listed here. What the grammar does not know is refused with its place.
#
#   awk -v want=condition -f expression.awk FILE    the program prints the lines for which the expression is true
#   awk -v want=number    -f expression.awk FILE    the program prints the expression's value for every line
#
# The program leaves out lines in which a value that it needs is missing or no number. With -v report=FILE it writes at
# its end how many lines there were, how many could be computed, for how many it was true, and how many were left out.
# Rejected: handing the text to awk and looking for bad words in it first: such lists are never complete.

{ text = text (NR > 1 ? " " : "") $0 }

END {
  CHARS_MAX = 4000; TOKENS_MAX = 600; DEPTH_MAX = 40; COLUMN_MAX = 100000
  for (i = 1; i < 256; i++) octal[sprintf("%c", i)] = sprintf("\\%03o", i)
  gsub(/[\t\r]/, " ", text)
  if (text ~ /^ *$/) refuse("it is empty")
  if (length(text) > CHARS_MAX) refuse("it is longer than " CHARS_MAX " characters")
  tokenize()
  at = 1
  result = disjunction(0)
  if (kind[at] != "end") refuse("\"" shown(at) "\" was not expected" place(at))
  if (want == "number") program(number(result), "print value")
  else program(truth(result), "if (value) print")
}

function refuse(reason) {
  print "The expression cannot be used: " reason "." > "/dev/stderr"
  exit 1
}

function place(token) { return " at character " start[token] }
function shown(token) { return kind[token] == "end" ? "the end" : word[token] }

# --- words

function add(what, value, from) {
  if (++count > TOKENS_MAX) refuse("it has more than " TOKENS_MAX " parts")
  kind[count] = what; word[count] = value; start[count] = from
}

function tokenize(   position, rest, first) {
  position = 1
  while (position <= length(text)) {
    rest = substr(text, position); first = substr(rest, 1, 1)
    if (first == " ") { position++; continue }
    if (first == "\"" || first == "'") position += quoted(rest, first, position)
    else if (match(rest, /^([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?/)) position += taken("number", rest, position)
    else if (match(rest, /^[A-Za-z_][A-Za-z_0-9]*/)) position += taken("name", rest, position)
    else if (match(rest, /^(==|!=|<=|>=|\/\/)/)) position += taken("sign", rest, position)
    else if (match(rest, /^[-+*\/%<>().,]/) || substr(rest, 1, 1) ~ /^[][]$/) {
      if (substr(rest, 1, 1) ~ /^[][]$/) RLENGTH = 1
      position += taken("sign", rest, position)
    }
    else if (first == "=") refuse("one = at character " position " is no comparison; write == for \"is equal\"")
    else if (first == "&" || first == "|") refuse("write and, or instead of " first " at character " position)
    else refuse("the character " first " at " position " has no meaning here")
  }
  add("end", "", position)
}

function taken(what, rest, position,   size) {
  size = RLENGTH
  add(what, substr(rest, 1, size), position)
  if (what == "number" && substr(rest, size + 1, 1) ~ /[A-Za-z_0-9.]/) {
    refuse("\"" substr(rest, 1, size + 1) "\" at character " position " is no number")
  }
  # What no awk holds as a number, some of them refuse in the middle of the program.
  if (what == "number" && (size > 100 || exponent(word[count]) > 200)) {
    refuse("the number at character " position " is too large or too long")
  }
  return size
}

function exponent(digits) { return match(digits, /[eE][-+]?/) ? substr(digits, RSTART + RLENGTH) + 0 : 0 }

# A text in quotes: \\, \', \" and \t mean what they mean in Python. Other backslashes are themselves.
function quoted(rest, mark, position,   i, char, next_char, value) {
  for (i = 2; i <= length(rest); i++) {
    char = substr(rest, i, 1)
    if (char == mark) { add("text", value, position); return i }
    if (char == "\\") {
      next_char = substr(rest, i + 1, 1)
      if (next_char == "t") { value = value "\t"; i++; continue }
      if (next_char == "\\" || next_char == "'" || next_char == "\"") { value = value next_char; i++; continue }
    }
    value = value char
  }
  refuse("the text that begins at character " position " has no closing " mark)
}

function is(value) { return (kind[at] == "sign" || kind[at] == "name") && word[at] == value }
function accept(value) { if (!is(value)) return 0; at++; return 1 }
function need(value) {
  if (!accept(value)) refuse("\"" value "\" was expected" place(at) ", not \"" shown(at) "\"")
}

# --- grammar. Each function returns the number of a node: code[] is its awk, type[] is number, text, truth or column.

function node(kind_of, awk) { type[++nodes] = kind_of; code[nodes] = awk; return nodes }
function deeper(depth) { if (depth > DEPTH_MAX) refuse("it is nested more than " DEPTH_MAX " deep"); return depth + 1 }

# What a node is where a number, a text or a truth value is needed.
function number(given) {
  if (type[given] == "number") return code[given]
  if (type[given] == "truth") return "(" code[given] " ? 1 : 0)"
  if (type[given] == "column") return "num(" code[given] ")"
  refuse("a text stands where a number is needed; int(…) and float(…) make numbers of texts")
}
function string(given) {
  if (type[given] == "text" || type[given] == "column") return code[given]
  refuse("a number stands where a text is needed; str(…) makes a text of a number")
}
function truth(given) {
  if (type[given] == "truth") return code[given]
  if (type[given] == "number") return "(" code[given] " != 0)"
  return "(" string(given) " != \"\")"
}

function disjunction(depth,   left, right) {
  depth = deeper(depth)
  left = conjunction(depth)
  while (accept("or")) { right = conjunction(depth); left = node("truth", "(" truth(left) " || " truth(right) ")") }
  return left
}

function conjunction(depth,   left, right) {
  left = negation(depth)
  while (accept("and")) { right = negation(depth); left = node("truth", "(" truth(left) " && " truth(right) ")") }
  return left
}

function negation(depth,   inner) {
  depth = deeper(depth)
  if (!accept("not")) return comparison(depth)
  inner = negation(depth)
  return node("truth", "(! " truth(inner) ")")
}

# a < b < c means a < b and b < c, as in Python.
function comparison(depth,   left, right, sign, all) {
  left = sum(depth)
  all = ""
  for (;;) {
    sign = ""
    if (kind[at] == "sign" && word[at] ~ /^(==|!=|<|<=|>|>=)$/) { sign = word[at]; at++ }
    else if (is("in")) { at++; sign = "in" }
    else if (is("not") && kind[at + 1] == "name" && word[at + 1] == "in") { at += 2; sign = "not in" }
    if (sign == "") break
    if (sign == "in" || sign == "not in") {
      right = membership(left, depth)
      all = all (all == "" ? "" : " && ") (sign == "in" ? right : "(! " right ")")
      break
    }
    right = sum(depth)
    all = all (all == "" ? "" : " && ") compared(left, sign, right)
    left = right
  }
  return all == "" ? left : node("truth", "(" all ")")
}

function compared(left, sign, right) {
  if (type[left] == "column" && type[right] == "column") {
    return "(compare(" code[left] ", " code[right] ") " sign " 0)"
  }
  if (type[left] == "text" || type[right] == "text") {
    return "((" string(left) " \"\") " sign " (" string(right) " \"\"))"
  }
  return "(" number(left) " " sign " " number(right) ")"
}

# x in ('a', 'b'), x in [1, 2], 'part' in c4
function membership(left, depth,   close_sign, all, right, items) {
  if (!is("(") && !is("[")) {
    right = sum(depth)
    return "(index(" string(right) ", " string(left) ") > 0)"
  }
  close_sign = is("(") ? ")" : "]"
  at++
  while (!is(close_sign)) {
    right = sum(depth); items++
    all = all (all == "" ? "" : " || ") compared(left, "==", right)
    if (!accept(",")) break
  }
  need(close_sign)
  if (items == 0) refuse("a list is empty")
  # ('a') is no list but a text in Python; either reading is right for it when it is equal.
  return "(" all ")"
}

function sum(depth,   left, right, sign) {
  left = product(depth)
  while (is("+") || is("-")) {
    sign = word[at]; at++
    right = product(depth)
    if (sign == "+" && (type[left] == "text" || type[right] == "text")) {
      left = node("text", "(" string(left) " " string(right) ")")
    } else left = node("number", "(" number(left) " " sign " " number(right) ")")
  }
  return left
}

function product(depth,   left, right, sign) {
  left = signed(depth)
  while (is("*") || is("/") || is("%") || is("//")) {
    sign = word[at]; at++
    right = signed(depth)
    if (sign == "*") left = node("number", "(" number(left) " * " number(right) ")")
    else if (sign == "/") left = node("number", "divided(" number(left) ", " number(right) ")")
    else if (sign == "//") left = node("number", "floor(divided(" number(left) ", " number(right) "))")
    else left = node("number", "modulo(" number(left) ", " number(right) ")")
  }
  return left
}

function signed(depth,   inner) {
  depth = deeper(depth)
  if (accept("-")) { inner = signed(depth); return node("number", "(- " number(inner) ")") }
  if (accept("+")) { inner = signed(depth); return node("number", "(+ " number(inner) ")") }
  return methods(atom(depth), depth)
}

function atom(depth,   value, inner, i, out) {
  value = word[at]
  if (kind[at] == "number") { at++; return node("number", value) }
  if (kind[at] == "text") {
    at++
    for (i = 1; i <= length(value); i++) out = out octal[substr(value, i, 1)]
    return node("text", "\"" out "\"")
  }
  if (accept("(")) { inner = disjunction(depth); need(")"); return inner }
  if (kind[at] != "name") refuse("\"" shown(at) "\" was not expected" place(at))
  if (value ~ /^[cC][0-9]+$/) return column(substr(value, 2))
  if (value == "True" || value == "False") { at++; return node("truth", value == "True" ? "(1)" : "(0)") }
  return called(value, depth)
}

function column(digits) {
  if (digits + 0 < 1) refuse("columns are counted from c1" place(at))
  if (length(digits) > 6 || digits + 0 > COLUMN_MAX) refuse("there is no column c" digits)
  at++
  return node("column", "field(" (digits + 0) ")")
}

function called(name, depth,   inner, split_at) {
  if (name !~ /^(abs|int|float|str|len|sqrt|exp|log|log10|round|min|max)$/) {
    refuse("the name \"" name "\"" place(at) " is not known; columns are c1, c2, …, and texts stand in quotes")
  }
  at++
  need("(")
  inner = disjunction(depth)
  if (name == "min" || name == "max") {
    need(",")
    split_at = disjunction(depth)
    need(")")
    return node("number", name "imum(" number(inner) ", " number(split_at) ")")
  }
  need(")")
  if (name == "len") {
    if (type[inner] == "parts") return node("number", code[inner])
    return node("number", "length(" string(inner) ")")
  }
  if (name == "str") return node("text", "(" either(inner) " \"\")")
  if (name == "int") return node("number", "int(num(" either(inner) "))")
  if (name == "float") return node("number", "num(" either(inner) ")")
  if (name == "abs") return node("number", "absolute(" number(inner) ")")
  if (name == "round") return node("number", "rounded(" number(inner) ")")
  if (name == "log") return node("number", "logarithm(" number(inner) ")")
  if (name == "log10") return node("number", "(logarithm(" number(inner) ") / 2.302585092994046)")
  if (name == "sqrt") return node("number", "root(" number(inner) ")")
  return node("number", "exp(" number(inner) ")")
}

function either(given) { return type[given] == "number" || type[given] == "truth" ? number(given) : string(given) }

# c1.startswith('x'), .endswith, .upper(), .lower(), .strip(), .count('x'), and len(c1.split(','))
function methods(given, depth,   name, argument) {
  while (accept(".")) {
    name = word[at]
    if (kind[at] != "name" || name !~ /^(startswith|endswith|upper|lower|strip|count|split)$/) {
      refuse("\"." shown(at) "\"" place(at) " is not known")
    }
    at++
    need("(")
    if (name == "upper" || name == "lower" || name == "strip") {
      need(")")
      given = node("text", (name == "upper" ? "toupper(" : name == "lower" ? "tolower(" : "stripped(") string(given) ")")
      continue
    }
    argument = sum(deeper(depth))
    need(")")
    if (name == "startswith") given = node("truth", "(index(" string(given) ", " string(argument) ") == 1)")
    else if (name == "endswith") given = node("truth", "ends(" string(given) ", " string(argument) ")")
    else if (name == "count") given = node("number", "times(" string(given) ", " string(argument) ")")
    else {
      type[++nodes] = "parts"; code[nodes] = "(times(" string(given) ", " string(argument) ") + 1)"
      given = nodes
      if (is(".")) refuse("split(…) can only stand in len(…)")
    }
  }
  return given
}

# --- the program

function program(value, action) {
  print "BEGIN { FS = \"\\t\"; OFMT = CONVFMT = \"%.12g\" }"
  print "{ sub(/\\r$/, \"\") }"
  print "FNR <= header { if (header_out == 1) print; next }"
  print "{ total++ }"
  print "/^#/ || /^[ \\t]*$/ { skipped++; next }"
  print "{ bad = 0; value = " value "; if (bad) { invalid++; next } valid++; if (value) kept++; " action " }"
  print "END { if (report != \"\") { printf \"%d\\t%d\\t%d\\t%d\\n\", total, valid, kept, invalid + skipped > report } }"
  print "function field(n) { if (n > NF) bad = 1; return $n }"
  print "function num(s) { if (s ~ /^[ ]*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?[ ]*$/) return s + 0; bad = 1; return 0 }"
  print "function numeric(s) { return s ~ /^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?$/ }"
  print "function compare(a, b) { if (numeric(a) && numeric(b)) { a += 0; b += 0 } else { a = a \"\"; b = b \"\" } return a < b ? -1 : a > b ? 1 : 0 }"
  print "function divided(a, b) { if (b == 0) { bad = 1; return 0 } return a / b }"
  print "function modulo(a, b) { if (b == 0) { bad = 1; return 0 } return a - b * floor(a / b) }"
  print "function floor(x,   w) { w = int(x); return w > x ? w - 1 : w }"
  print "function absolute(x) { return x < 0 ? -x : x }"
  print "function rounded(x) { return x < 0 ? -int(-x + 0.5) : int(x + 0.5) }"
  print "function minimum(a, b) { return a < b ? a : b }"
  print "function maximum(a, b) { return a > b ? a : b }"
  print "function logarithm(x) { if (x <= 0) { bad = 1; return 0 } return log(x) }"
  print "function root(x) { if (x < 0) { bad = 1; return 0 } return sqrt(x) }"
  print "function stripped(s) { gsub(/^[ ]+|[ ]+$/, \"\", s); return s }"
  print "function ends(s, e) { return length(e) <= length(s) && substr(s, length(s) - length(e) + 1) == (e \"\") }"
  print "function times(s, part,   n, i) { n = 0; if (part == \"\") { bad = 1; return 0 } while ((i = index(s, part)) > 0) { n++; s = substr(s, i + length(part)) } return n }"
}
