# Numbers in ascending order, one a line → sum, mean, standard deviation of a sample and quartiles (linear between the
# two neighbours, as R's type 7).
{ value[++n] = $1 + 0; sum += $1 }
function quantile(p,   h, low) {
  h = (n - 1) * p + 1; low = int(h)
  return value[low] + (low < n ? (h - low) * (value[low + 1] - value[low]) : 0)
}
END {
  if (n == 0) { print "No line holds a number for this expression." > "/dev/stderr"; exit 1 }
  mean = sum / n
  for (i = 1; i <= n; i++) squares += (value[i] - mean) * (value[i] - mean)
  print "#sum\tmean\tstdev\t0%\t25%\t50%\t75%\t100%"
  printf "%.12g\t%.12g\t", sum, mean
  if (n > 1) printf "%.12g", sqrt(squares / (n - 1)); else printf "nan"
  printf "\t%.12g\t%.12g\t%.12g\t%.12g\t%.12g\n", value[1], quantile(0.25), quantile(0.5), quantile(0.75), value[n]
}
