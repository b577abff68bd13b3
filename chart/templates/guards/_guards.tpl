{{/*
Every check that values.schema.json cannot make: values that are wrong together, that only this
cluster can refuse, or whose refusal must not print them (Helm prints a value that the schema refuses).

A message names the value, the consequence and the fix. All problems are told at once, once the schema
has let the values through. This is the entry; the files beside it hold, each check for itself,

  _names, _secrets                          what the values are called, and what must not be in them
  _storage, _containers, _pod, _amounts     what they mean together
  _cluster                                  what the cluster would say, or has already

Each check takes `$g`: the `root`, the `problems` so far, and what is worked out once below. Text between
actions is trimmed away, so all of it is indented.
*/}}
{{- define "agenttier.guards" -}}
  {{- $g := dict "root" . "problems" (list) -}}
  {{- include "agenttier.guards.sections" $g -}}
  {{- include "agenttier.guards.names" $g -}}
  {{- with .Values.optional -}}
    {{- include "agenttier.guards.secrets" (dict "g" $g "node" .storage "path" "optional.storage") -}}
  {{- end -}}
  {{- /* The checks below read through every section, so a missing one ends it here. */ -}}
  {{- if not $g.incomplete -}}
    {{- $s := .Values.optional.storage -}}
    {{- $_ := set $g "storage" $s -}}
    {{- $_ := set $g "sqlite" (and $s.enabled (eq (toString $s.driver) "sqlite")) -}}
    {{- $_ := set $g "server" (and $s.enabled (has (toString $s.driver) (list "postgres" "mysql"))) -}}
    {{- $replicas := .Values.router.replicas -}}
    {{- if not (include "agenttier.is-set" $replicas) -}}
      {{- $replicas = ternary 1 2 (eq (toString $g.sqlite) "true") -}}
    {{- end -}}
    {{- if .Values.router.autoscaling.enabled -}}
      {{- /* What is no number is told of by its own guard. */ -}}
      {{- $least := toString .Values.router.autoscaling.minReplicas -}}
      {{- $replicas = ternary $least "0" (regexMatch `^[0-9]{1,9}$` $least) -}}
    {{- end -}}
    {{- $_ := set $g "replicas" (toString $replicas) -}}
    {{- include "agenttier.guards.driver" $g -}}
    {{- include "agenttier.guards.autoscaling" $g -}}
    {{- include "agenttier.guards.replicas" $g -}}
    {{- include "agenttier.guards.path" $g -}}
    {{- include "agenttier.guards.claim" $g -}}
    {{- include "agenttier.guards.env" $g -}}
    {{- include "agenttier.guards.args" $g -}}
    {{- include "agenttier.guards.images" $g -}}
    {{- include "agenttier.guards.account" $g -}}
    {{- include "agenttier.guards.volumes" $g -}}
    {{- include "agenttier.guards.sidecar" $g -}}
    {{- include "agenttier.guards.init-containers" $g -}}
    {{- include "agenttier.guards.memory" $g -}}
    {{- include "agenttier.guards.resources" $g -}}
    {{- include "agenttier.guards.grace" $g -}}
    {{- include "agenttier.guards.base" $g -}}
    {{- include "agenttier.guards.live-claim" $g -}}
    {{- include "agenttier.guards.other-claim" $g -}}
    {{- include "agenttier.guards.selector" $g -}}
    {{- include "agenttier.guards.upstream" $g -}}
  {{- end -}}
  {{- with $g.problems -}}
    {{- $below := include "agenttier.value-prefix" $g.root | trimSuffix "." -}}
    {{- fail (printf "\n\nThe values%s cannot be installed (%d to mend):\n\n- %s\n" (ternary (printf " below %s" $below) "" (ne $below "")) (len .) (join "\n\n- " .)) -}}
  {{- end -}}
{{- end -}}

{{/* Adds a problem. Takes (list $g message). */}}
{{- define "agenttier.refuse" -}}
  {{- $g := index . 0 -}}
  {{- $_ := set $g "problems" (append $g.problems (index . 1)) -}}
{{- end -}}
