{{/* Kubernetes' quantity as a number of bytes, rounded up; empty when it is none. */}}
{{- define "agenttier.quantity-bytes" -}}
  {{- with include "agenttier.quantity-number" . -}}
    {{- printf "%.0f" (ceil .) -}}
  {{- end -}}
{{- end -}}

{{/*
Kubernetes' quantity as a number; empty when it is none. A number from --set comes as an integer, one
from a file as a float that prints as 3.3554432e+07.
*/}}
{{- define "agenttier.quantity-number" -}}
  {{- $text := toString . -}}
  {{- if regexMatch `^([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$` $text -}}
    {{- $unit := regexFind `([KMGTPE]i|[numkMGTPE])$` $text -}}
    {{- $factors := dict
      "" 1.0 "n" 1e-9 "u" 1e-6 "m" 1e-3
      "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18
      "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0
      "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0
    -}}
    {{- printf "%.9f" (mulf (float64 (trimSuffix $unit $text)) (get $factors $unit)) -}}
  {{- end -}}
{{- end -}}

{{/* Go's duration (20s, 1m30s) as seconds; empty when it is none. */}}
{{- define "agenttier.duration-seconds" -}}
  {{- $text := toString . -}}
  {{- $term := `([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)` -}}
  {{- if eq $text "0" -}}
    0
  {{- else if regexMatch (printf "^(%s)+$" $term) $text -}}
    {{- $factors := dict "ns" 1e-9 "us" 1e-6 "µs" 1e-6 "μs" 1e-6 "ms" 1e-3 "s" 1.0 "m" 60.0 "h" 3600.0 -}}
    {{- $seconds := 0.0 -}}
    {{- range regexFindAll $term $text -1 -}}
      {{- $unit := regexFind `[^0-9.]+$` . -}}
      {{- $seconds = addf $seconds (mulf (float64 (trimSuffix $unit .)) (get $factors $unit)) -}}
    {{- end -}}
    {{- $seconds -}}
  {{- end -}}
{{- end -}}
