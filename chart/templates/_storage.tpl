{{/* What follows from the values below optional.storage. Of what is true or false, false is empty. */}}

{{/* STORAGE_DRIVER: sqlite, postgres, mysql, or none. */}}
{{- define "agenttier.driver" -}}
{{- with .Values.optional.storage -}}
{{- ternary .driver "none" .enabled -}}
{{- end -}}
{{- end -}}

{{- define "agenttier.has-sidecar" -}}
{{- if .Values.optional.storage.sidecar.enabled -}}true{{- end -}}
{{- end -}}

{{/* Whether the sidecar is an init container that goes on running, which Kubernetes has since 1.29. */}}
{{- define "agenttier.is-native" -}}
{{- $native := toString .Values.optional.storage.sidecar.native -}}
{{- if eq $native "auto" -}}
{{- if semverCompare ">=1.29.0-0" .Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- else if eq $native "true" -}}
true
{{- end -}}
{{- end -}}

{{/* One SQLite file has one writer; a server has as many as come. */}}
{{- define "agenttier.replicas" -}}
{{- $replicas := .Values.router.replicas -}}
{{- if kindIs "invalid" $replicas -}}
{{- ternary 1 2 (eq (include "agenttier.driver" .) "sqlite") -}}
{{- else -}}
{{- int64 $replicas -}}
{{- end -}}
{{- end -}}

{{- define "agenttier.size" -}}
{{- include "agenttier.plain" (.Values.optional.storage.sqlite.persistence.size | default "1Gi") -}}
{{- end -}}

{{/* Whether a value is there: an empty text stands for none, as null does. */}}
{{- define "agenttier.is-set" -}}
{{- if not (or (kindIs "invalid" .) (eq (toString .) "")) -}}true{{- end -}}
{{- end -}}

{{/* A number of a values file is a float, which prints as 3.3554432e+07. */}}
{{- define "agenttier.plain" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . -}}{{ printf "%.0f" . }}{{- else -}}{{ toString . }}{{- end -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/*
A map without the keys that are null, at any depth, and without maps that held nothing else, as YAML; nothing of an
empty one. Helm takes a key that an overlay sets to null away only where the chart has a default for it, and
Kubernetes reads some nulls as 0.
*/}}
{{- define "agenttier.without-nulls" -}}
{{- $kept := dict -}}
{{- range $key, $value := . -}}
{{- if and (kindIs "map" $value) $value -}}
{{- with include "agenttier.without-nulls" $value -}}
{{- $_ := set $kept $key (fromYaml .) -}}
{{- end -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $_ := set $kept $key $value -}}
{{- end -}}
{{- end -}}
{{- if $kept -}}
{{- toYaml $kept -}}
{{- end -}}
{{- end -}}

{{/* The name of the claim that the Pod mounts; empty without one. */}}
{{- define "agenttier.mounted-claim" -}}
{{- with .Values.optional.storage.sqlite.persistence -}}
{{- if and .enabled (eq (include "agenttier.driver" $) "sqlite") -}}
{{- .existingClaim | default (include "agenttier.claim-name" $) -}}
{{- end -}}
{{- end -}}
{{- end -}}
