{{/* Names, labels, annotations and images. Each name is the base and a suffix of at most 15 characters. */}}

{{/*
A text as a part of a name: what is too long is cut and ends in eight digits of its hash, so that two
long ones stay different. A release's name may have dots, a Service's may not. Takes (text, max).
*/}}
{{- define "agenttier.cut" -}}
{{- if and (le (len .text) (int .max)) (not (contains "." .text)) -}}
{{- .text -}}
{{- else -}}
{{- $head := .text | replace "." "-" | trunc (int (sub .max 9)) | trimAll "-" -}}
{{- printf "%s-%s" $head (sha256sum .text | trunc 8) -}}
{{- end -}}
{{- end -}}

{{/* The beginning of every name: 48 characters leave room for `-router-storage` within 63. */}}
{{- define "agenttier.base" -}}
{{- include "agenttier.cut" (dict "text" (.Values.fullnameOverride | default .Release.Name) "max" 48) -}}
{{- end -}}

{{- define "agenttier.router-name" -}}
{{- include "agenttier.base" . -}}-router
{{- end -}}

{{- define "agenttier.ops-name" -}}
{{- include "agenttier.base" . -}}-router-ops
{{- end -}}

{{- define "agenttier.claim-name" -}}
{{- include "agenttier.base" . -}}-router-storage
{{- end -}}

{{/* Of what belongs to the whole cluster: two namespaces may hold a release of one name. */}}
{{- define "agenttier.cluster-name" -}}
{{- $own := printf "%s:%s" .Release.Namespace (.Values.fullnameOverride | default .Release.Name) -}}
{{- include "agenttier.cut" (dict "text" $own "max" 56) -}}-router
{{- end -}}

{{- define "agenttier.service-account-name" -}}
{{- with .Values.router.serviceAccount -}}
{{- .name | default (ternary (include "agenttier.router-name" $) "default" .create) -}}
{{- end -}}
{{- end -}}

{{/* Where the values of this chart stand in those of the whole release: nothing, or `agenttier.` in an umbrella. */}}
{{- define "agenttier.value-prefix" -}}
{{- range splitList "/charts/" (dir .Template.BasePath) | rest -}}
{{- . -}}.
{{- end -}}
{{- end -}}

{{/*
What selects the Router's Pods; the same as in AgentTier's full chart, since it can never change. Quoted:
YAML would read a release that is called 1234 as a number, which is no label.
*/}}
{{- define "agenttier.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: router
{{- end -}}

{{/* The Router's version as a tag or a label may have it: neither has the `+` of build metadata. */}}
{{- define "agenttier.app-version" -}}
{{- .Chart.AppVersion | replace "+" "_" -}}
{{- end -}}

{{/*
Labels of an object. Takes (root, component, extra); no label of the user's replaces one of ours. Templates of
all charts of a release share their names, and AgentTier's full chart has `agenttier.labels`. `merge` leaves
out what is null, by which an overlay takes a key away; so it does below.
*/}}
{{- define "agenttier.object-labels" -}}
{{- $chart := printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | regexFind `^.*[a-zA-Z0-9]` -}}
{{- $own := include "agenttier.selector" .root | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/component" .component -}}
{{- $_ := set $own "app.kubernetes.io/version" (include "agenttier.app-version" .root | trunc 63 | regexFind `^.*[a-zA-Z0-9]`) -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" $chart -}}
{{- merge $own (.extra | default dict) (.root.Values.commonLabels | default dict) | toYaml -}}
{{- end -}}

{{/* Annotations of an object, with their key, or nothing. Takes (root, own, extra). */}}
{{- define "agenttier.annotations" -}}
{{- with merge (dict) (.own | default dict) (.extra | default dict) (.root.Values.commonAnnotations | default dict) -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* What short names of images are resolved against. */}}
{{- define "agenttier.registry" -}}
{{- (.Values.global).registry | default "ghcr.io/agenttier" | trimSuffix "/" -}}
{{- end -}}

{{/* A repository: a short name is resolved against global.registry. Takes (root, repository). */}}
{{- define "agenttier.repository" -}}
{{- if contains "/" .repository -}}
{{- .repository -}}
{{- else -}}
{{- printf "%s/%s" (include "agenttier.registry" .root) .repository -}}
{{- end -}}
{{- end -}}

{{- define "agenttier.router-image" -}}
{{- with .Values.router.image -}}
{{- include "agenttier.repository" (dict "root" $ "repository" .repository) -}}:{{ .tag | default (printf "v%s" (include "agenttier.app-version" $)) }}
{{- end -}}
{{- end -}}

{{/* The sidecar's version is the chart's. A tag cannot have the `+` that a version can. */}}
{{- define "agenttier.sidecar-image" -}}
{{- with .Values.optional.storage.sidecar.image -}}
{{- $repository := include "agenttier.repository" (dict "root" $ "repository" .repository) -}}
{{- if .digest -}}
{{- printf "%s@%s" $repository .digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.tag | default ($.Chart.Version | replace "+" "_")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
