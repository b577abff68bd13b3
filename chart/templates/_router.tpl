{{/* The Router's container: arguments, environment and probes as in AgentTier's full chart. */}}
{{- define "agenttier.router" -}}
{{- $r := .Values.router -}}
- name: router
  image: {{ include "agenttier.router-image" . | quote }}
  {{- with $r.image.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  args:
    {{- include "agenttier.router-args" . | nindent 4 }}
  env:
    {{- include "agenttier.router-env" . | nindent 4 }}
  {{- with $r.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - name: http
      containerPort: 8080
      protocol: TCP
  {{- range $name, $path := dict "liveness" "/healthz" "readiness" "/readyz" "startup" "/healthz" }}
  {{- with get $r.probes $name }}
  {{- $probe := include "agenttier.without-nulls" . | fromYaml }}
  {{- if not (or .exec .tcpSocket .grpc) }}
  {{- $probe = merge $probe (dict "httpGet" (dict "path" $path "port" "http")) }}
  {{- end }}
  {{ $name }}Probe:
    {{- toYaml $probe | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with include "agenttier.without-nulls" $r.lifecycle }}
  lifecycle:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with include "agenttier.without-nulls" $r.resources }}
  resources:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $r.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - name: api-access
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
    {{- with $r.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Seconds that the Router's container sleeps before it is told to stop. */}}
{{- define "agenttier.router-sleep" -}}
{{- with ((.Values.router.lifecycle).preStop).sleep -}}
{{- int64 .seconds -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{/* A rate as its flag has it, and nothing for no limit. A fraction is a text where --set gives it. */}}
{{- define "agenttier.rate" -}}
{{- if float64 . -}}
{{- include "agenttier.plain" . -}}
{{- end -}}
{{- end -}}

{{- define "agenttier.router-args" -}}
{{- /* Null has taken the chart's default away; an empty text is as it was meant. */ -}}
{{- $oidc := .Values.auth.oidc -}}
- --listen-addr=:8080
- {{ printf "--oidc-issuer=%s" ($oidc.issuerUrl | default "") | quote }}
- {{ printf "--oidc-client-id=%s" ($oidc.clientId | default "") | quote }}
- {{ printf "--admin-group=%s" (ternary "agenttier-admins" $oidc.adminGroup (kindIs "invalid" $oidc.adminGroup)) | quote }}
- {{ printf "--group-claim=%s" (ternary "groups" $oidc.groupClaim (kindIs "invalid" $oidc.groupClaim)) | quote }}
{{- if .Values.auth.devAuth }}
- --dev-auth
{{- end }}
{{- with .Values.cors.allowedOrigins }}
- {{ printf "--cors-allowed-origins=%s" (join "," .) | quote }}
{{- end }}
- {{ printf "--preview-domain=%s" (.Values.networking.previewDomain | default "") | quote }}
- {{ printf "--ingress-class-name=%s" (.Values.networking.portForwardIngressClass | default "") | quote }}
{{- with include "agenttier.rate" .Values.router.rateLimit.perIPPerSecond }}
- --ratelimit-per-ip-rate={{ . }}
{{- end }}
{{- with include "agenttier.rate" .Values.router.rateLimit.perUserPerSecond }}
- --ratelimit-per-user-rate={{ . }}
{{- end }}
{{- range .Values.router.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "agenttier.router-env" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: SANDBOX_NAMESPACE
  value: {{ .Values.defaults.sandboxNamespace | default "default" | quote }}
{{- with .Values.observability.otlp }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_INSECURE
  value: {{ ternary "true" (toString .insecure) (kindIs "invalid" .insecure) | quote }}
{{- end }}
{{- end }}
{{- if include "agenttier.has-sidecar" . }}
- name: STORAGE_SIDECAR_URL
  value: {{ printf "http://127.0.0.1:%d" (int64 .Values.optional.storage.sidecar.port) | quote }}
{{- end }}
{{- with .Values.router.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
What Kubernetes mounts into every container of a Pod by default, here for the Router alone: the sidecar
needs no token.
*/}}
{{- define "agenttier.api-access" -}}
- name: api-access
  projected:
    defaultMode: 0444
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end -}}
