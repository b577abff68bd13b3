{{/*
The sidecar's container. Its only probe is a lenient liveness probe: any other one would keep the
Router from starting, or its Pod from being ready, because of storage. An ordinary container is told to
stop together with the Router, and has a hook that waits for the Router's end; a native one is told then.
*/}}
{{- define "agenttier.sidecar" -}}
{{- $s := .Values.optional.storage -}}
{{- $c := $s.sidecar -}}
{{- $r := .Values.router -}}
{{- $driver := include "agenttier.driver" . -}}
- name: storage
  image: {{ include "agenttier.sidecar-image" . | quote }}
  {{- with $c.image.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  {{- if include "agenttier.is-native" . }}
  restartPolicy: Always
  {{- end }}
  env:
    - name: STORAGE_DRIVER
      value: {{ $driver }}
    {{- if eq $driver "sqlite" }}
    - name: STORAGE_SQLITE_PATH
      value: {{ $s.sqlite.path | quote }}
    - name: STORAGE_SQLITE_CACHE
      value: {{ include "agenttier.plain" $c.sqliteCache | quote }}
    {{- else if ne $driver "none" }}
    # Optional, so that a Secret which comes late does not keep the Router from starting; the sidecar
    # reads it from the file as soon as it is there.
    - name: STORAGE_DSN
      valueFrom:
        secretKeyRef:
          name: {{ $s.dsnSecret.name | quote }}
          key: {{ $s.dsnSecret.key | quote }}
          optional: true
    - name: STORAGE_DSN_FILE
      value: {{ printf "/run/agenttier/%s" $s.dsnSecret.key | quote }}
    {{- end }}
    - name: STORAGE_API_ADDRESS
      value: {{ printf "127.0.0.1:%d" (int64 $c.port) | quote }}
    - name: STORAGE_OPS_ADDRESS
      value: {{ printf ":%d" (int64 $c.opsPort) | quote }}
    - name: STORAGE_QUEUE_BYTES
      value: {{ include "agenttier.plain" $c.queueBytes | quote }}
    - name: STORAGE_SHUTDOWN_GRACE
      value: {{ $c.shutdownGrace | quote }}
    - name: STORAGE_LOG_LEVEL
      value: {{ $c.logLevel | quote }}
    {{- /* With storage off none: what it names would keep the Router from starting once it is gone. */}}
    {{- with ternary list $c.extraEnv (eq $driver "none") }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - name: storage-ops
      containerPort: {{ int64 $c.opsPort }}
      protocol: TCP
  livenessProbe:
    httpGet:
      path: /healthz
      # The number: a mesh that is told to leave the port alone compares numbers.
      port: {{ int64 $c.opsPort }}
    initialDelaySeconds: 15
    periodSeconds: 20
    timeoutSeconds: 10
    failureThreshold: 6
  {{- if not (include "agenttier.is-native" .) }}
  lifecycle:
    preStop:
      exec:
        command:
          - /usr/local/bin/node
          - --input-type=module
          - --eval
          - {{ .Files.Get "files/wait-for-router.mjs" | toJson }}
          - "8080"
          - {{ int64 $c.port | quote }}
          # The Router's sleep, its drain, and the 5 seconds that its client takes for the last records.
          - {{ add (include "agenttier.router-sleep" .) $r.drainSeconds 5 | quote }}
  {{- end }}
  {{- with include "agenttier.without-nulls" $c.resources }}
  resources:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $c.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne $driver "none" }}
  volumeMounts:
    {{- if eq $driver "sqlite" }}
    - name: storage
      mountPath: {{ dir $s.sqlite.path | quote }}
    {{- else }}
    - name: dsn
      mountPath: /run/agenttier
      readOnly: true
    {{- end }}
    {{- with $c.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end -}}

{{/* The volumes that the sidecar mounts. With storage off none: a missing one would keep the Router away. */}}
{{- define "agenttier.sidecar-volumes" -}}
{{- $s := .Values.optional.storage -}}
{{- $driver := include "agenttier.driver" . -}}
{{- if eq $driver "sqlite" -}}
- name: storage
  {{- with include "agenttier.mounted-claim" . }}
  persistentVolumeClaim:
    claimName: {{ . | quote }}
  {{- else }}
  {{- /* No limit of the chart's own: the kubelet evicts a Pod that outgrows one, and so the Router. */}}
  emptyDir: {{- if include "agenttier.is-set" $s.sqlite.persistence.size }}
    sizeLimit: {{ include "agenttier.size" . | quote }}
    {{- else }} {}
    {{- end }}
  {{- end }}
{{- else if ne $driver "none" -}}
- name: dsn
  secret:
    secretName: {{ $s.dsnSecret.name | quote }}
    optional: true
    defaultMode: 0440
    items:
      - key: {{ $s.dsnSecret.key | quote }}
        path: {{ $s.dsnSecret.key | quote }}
{{- end -}}
{{- if ne $driver "none" -}}
{{- with $s.sidecar.extraVolumes }}
{{ toYaml . }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The Secrets and ConfigMaps of extraEnv, extraVolumes and extraInitContainers that are not optional, for NOTES: a
missing one keeps the sidecar from starting, and so the Router.
*/}}
{{- define "agenttier.needed-objects" -}}
{{- $c := .Values.optional.storage.sidecar -}}
{{- $sources := list -}}
{{- range $c.extraEnv -}}
{{- $sources = append $sources (.valueFrom | default dict) -}}
{{- end -}}
{{- range $c.extraInitContainers -}}
{{- range .env -}}
{{- $sources = append $sources (.valueFrom | default dict) -}}
{{- end -}}
{{- range .envFrom -}}
{{- $sources = append $sources . -}}
{{- end -}}
{{- end -}}
{{- range $c.extraVolumes -}}
{{- $sources = concat $sources (list .) (((.projected | default dict).sources) | default list) -}}
{{- end -}}
{{- $needed := list -}}
{{- range $source := $sources -}}
{{- range $key, $kind := dict "secretKeyRef" "Secret" "secretRef" "Secret" "secret" "Secret" "configMapKeyRef" "ConfigMap" "configMapRef" "ConfigMap" "configMap" "ConfigMap" -}}
{{- $ref := get $source $key -}}
{{- if and (kindIs "map" $ref) (ne (toString (get (ternary $ref dict (kindIs "map" $ref)) "optional")) "true") -}}
{{- $needed = append $needed (printf "%s %s" $kind ($ref.name | default $ref.secretName)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- join ", " (uniq $needed) -}}
{{- end -}}
