{{/*
The number of Pods that the Deployment says, or nothing, which leaves it to the autoscaler.

Helm puts a Deployment at one Pod where an upgrade takes the number out of the manifest: Helm 3 whenever the
revision before had it, Helm 4 as long as nobody else has set it. So the Deployment that had a number when
autoscaling came goes on having the live one, and remembers it by an annotation; one that never had it has none,
nor has one that is applied on the server and whose number is the autoscaler's by now.
*/}}
{{- define "agenttier.said-replicas" -}}
{{- if .Values.router.autoscaling.enabled -}}
{{- include "agenttier.kept-replicas" . -}}
{{- else -}}
{{- include "agenttier.replicas" . -}}
{{- end -}}
{{- end -}}

{{- define "agenttier.kept-replicas" -}}
{{- $name := include "agenttier.router-name" . -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace $name -}}
{{- if and $live (include "agenttier.is-ours" (dict "root" . "object" $live)) -}}
{{- $remembered := hasKey $live.metadata.annotations "agenttier.io/replicas" -}}
{{- $isNew := not (lookup "autoscaling/v2" "HorizontalPodAutoscaler" .Release.Namespace $name) -}}
{{- $appliers := 0 -}}
{{- $owners := 0 -}}
{{- range $live.metadata.managedFields -}}
{{- if eq .operation "Apply" -}}
{{- $appliers = add1 $appliers -}}
{{- if hasKey (get .fieldsV1 "f:spec" | default dict) "f:replicas" -}}
{{- $owners = add1 $owners -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (or $remembered $isNew) (or (not $appliers) $owners) -}}
{{- /* An autoscaler does not begin with none. */ -}}
{{- $live.spec.replicas | default .Values.router.autoscaling.minReplicas | int64 -}}
{{- end -}}
{{- end -}}
{{- end -}}
