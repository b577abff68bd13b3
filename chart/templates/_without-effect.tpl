{{/*
The values of AgentTier's full chart that are set and do nothing here, for NOTES: an operator's values
file is accepted as it is.
*/}}
{{- define "agenttier.without-effect" -}}
{{- $set := list -}}
{{- $known := list "controller" "webui" "security" "costs" "nodeSelector" "tolerations" "affinity" "auth.apiKeys" "auth.oidc.clientSecretRef" "auth.oidc.groupNamespaceMapping" "defaults.sandbox" "defaults.claudeCode" "defaults.openclaw" "defaults.langgraph" "defaults.strandsBedrock" "defaults.rl" "networking.defaultPolicy" "networking.gatewayName" "observability.prometheus" "observability.otelCollector" "optional.backup" "optional.webhooks" "optional.notifications" "optional.admissionWebhook" "optional.imagePrepull" "optional.pdb" "optional.storageClass" "optional.agentMemorySidecar" "optional.ingress" "optional.clusterAutoscaler" "optional.headroom" -}}
{{- range $path := $known -}}
{{- $node := $.Values -}}
{{- range splitList "." $path -}}
{{- $node = ternary (get (ternary $node dict (kindIs "map" $node)) .) nil (kindIs "map" $node) -}}
{{- end -}}
{{- if $node -}}
{{- $set = append $set $path -}}
{{- end -}}
{{- end -}}
{{- join ", " $set -}}
{{- end -}}
