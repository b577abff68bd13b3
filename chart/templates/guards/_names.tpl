{{/* What `null` has removed took the chart's default with it; sections that may be empty are not here. */}}
{{- define "agenttier.guards.sections" -}}
  {{- $g := . -}}
  {{- $sections := list
    "router" "router.image" "router.autoscaling" "router.service" "router.rateLimit" "router.serviceAccount"
    "router.rbac" "router.probes" "router.podDisruptionBudget" "auth" "auth.oidc" "cors" "defaults"
    "networking" "observability" "observability.otlp" "optional" "optional.storage"
    "optional.storage.sqlite" "optional.storage.sqlite.persistence" "optional.storage.dsnSecret"
    "optional.storage.sidecar" "optional.storage.sidecar.image"
    "optional.storage.upgrade" "optional.storage.test" "optional.storage.podMonitor" "optional.storage.networkPolicy"
  -}}
  {{- $needed := list
    "router.drainSeconds" "router.terminationGracePeriodSeconds" "router.service.port"
    "router.service.type" "router.serviceAccount.create" "router.rbac.create"
    "optional.storage.enabled" "optional.storage.driver" "router.image.repository"
    "optional.storage.sqlite.path" "optional.storage.sqlite.persistence.enabled"
    "optional.storage.sqlite.persistence.accessMode" "optional.storage.sqlite.persistence.retain"
    "optional.storage.dsnSecret.key" "optional.storage.sidecar.enabled"
    "optional.storage.sidecar.native" "optional.storage.sidecar.image.repository"
    "optional.storage.sidecar.port" "optional.storage.sidecar.opsPort"
    "optional.storage.sidecar.queueBytes" "optional.storage.sidecar.sqliteCache"
    "optional.storage.sidecar.shutdownGrace" "optional.storage.sidecar.logLevel"
  -}}
  {{- /* That flag takes the old chart's values, which know no section that is new. */ -}}
  {{- $orReused := ternary "; if the upgrade was run with --reuse-values, use --reset-then-reuse-values" "" $g.root.Release.IsUpgrade -}}
  {{- range $path := concat $sections $needed -}}
    {{- $node := $g.root.Values -}}
    {{- $parentIsThere := true -}}
    {{- range $key := splitList "." $path -}}
      {{- $parentIsThere = kindIs "map" $node -}}
      {{- $node = ternary (get (ternary $node dict $parentIsThere) $key) nil $parentIsThere -}}
    {{- end -}}
    {{- $bad := ternary (not (kindIs "map" $node)) (or (kindIs "invalid" $node) (eq (toString $node) "")) (has $path $sections) -}}
    {{- if and $bad $parentIsThere -}}
      {{- $_ := set $g "incomplete" true -}}
      {{- include "agenttier.refuse" (list $g (printf "%s is empty or null, which takes the chart's defaults away: nothing can be rendered without it. Leave it out of your values to have the default%s." $path $orReused)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/*
Near misses of names, each with the right one. values.schema.json admits them, for a better message. One
is none in a chart that another one depends on: its condition is handed down as `enabled`.
*/}}
{{- define "agenttier.guards.near-misses" -}}
storage: optional.storage
sqlite: optional.storage.sqlite
persistence: optional.storage.sqlite.persistence
sidecar: optional.storage.sidecar
storageSidecar: optional.storage.sidecar
dsn: ""
dsnSecret: optional.storage.dsnSecret
dsnSecretName: optional.storage.dsnSecret.name
database: optional.storage
postgres: ""
mysql: ""
replicas: router.replicas
replicaCount: router.replicas
autoscaling: router.autoscaling
image: router.image
resources: router.resources
service: router.service
serviceAccount: router.serviceAccount
rbac: router.rbac
podDisruptionBudget: router.podDisruptionBudget
extraEnv: router.extraEnv
podAnnotations: router.podAnnotations
podLabels: router.podLabels
podSecurityContext: router.podSecurityContext
securityContext: router.securityContext
terminationGracePeriodSeconds: router.terminationGracePeriodSeconds
enabled: optional.storage.enabled
optional.driver: optional.storage.driver
optional.sqlite: optional.storage.sqlite
optional.persistence: optional.storage.sqlite.persistence
optional.dsn: ""
optional.dsnSecret: optional.storage.dsnSecret
optional.sidecar: optional.storage.sidecar
optional.storage.persistence: optional.storage.sqlite.persistence
optional.storage.path: optional.storage.sqlite.path
optional.storage.size: optional.storage.sqlite.persistence.size
optional.storage.storageClass: optional.storage.sqlite.persistence.storageClassName
optional.storage.storageClassName: optional.storage.sqlite.persistence.storageClassName
optional.storage.existingClaim: optional.storage.sqlite.persistence.existingClaim
optional.storage.accessMode: optional.storage.sqlite.persistence.accessMode
optional.storage.retain: optional.storage.sqlite.persistence.retain
optional.storage.type: optional.storage.driver
optional.storage.backend: optional.storage.driver
optional.storage.dsn: ""
optional.storage.DSN: ""
optional.storage.dsnFile: ""
optional.storage.url: ""
optional.storage.connectionString: ""
optional.storage.host: ""
optional.storage.user: ""
optional.storage.username: ""
optional.storage.password: ""
optional.storage.database: ""
optional.storage.postgres: ""
optional.storage.mysql: ""
optional.storage.dsnSecretName: optional.storage.dsnSecret.name
optional.storage.dsnSecretKey: optional.storage.dsnSecret.key
optional.storage.secretName: optional.storage.dsnSecret.name
optional.storage.existingSecret: optional.storage.dsnSecret.name
optional.storage.replicas: router.replicas
optional.storage.image: optional.storage.sidecar.image
optional.storage.port: optional.storage.sidecar.port
optional.storage.opsPort: optional.storage.sidecar.opsPort
optional.storage.resources: optional.storage.sidecar.resources
optional.storage.queueBytes: optional.storage.sidecar.queueBytes
optional.storage.sqliteCache: optional.storage.sidecar.sqliteCache
optional.storage.shutdownGrace: optional.storage.sidecar.shutdownGrace
optional.storage.logLevel: optional.storage.sidecar.logLevel
optional.storage.extraEnv: optional.storage.sidecar.extraEnv
optional.storage.native: optional.storage.sidecar.native
optional.storage.replaceUpstream: optional.storage.upgrade.replaceUpstream
optional.storage.sqlite.size: optional.storage.sqlite.persistence.size
optional.storage.sqlite.storageClass: optional.storage.sqlite.persistence.storageClassName
optional.storage.sqlite.storageClassName: optional.storage.sqlite.persistence.storageClassName
optional.storage.sqlite.existingClaim: optional.storage.sqlite.persistence.existingClaim
optional.storage.sqlite.accessMode: optional.storage.sqlite.persistence.accessMode
optional.storage.sqlite.retain: optional.storage.sqlite.persistence.retain
optional.storage.sqlite.cache: optional.storage.sidecar.sqliteCache
optional.storage.sqlite.persistence.storageClass: optional.storage.sqlite.persistence.storageClassName
optional.storage.sqlite.persistence.accessModes: optional.storage.sqlite.persistence.accessMode
optional.storage.sqlite.persistence.claimName: optional.storage.sqlite.persistence.existingClaim
optional.storage.sqlite.persistence.path: optional.storage.sqlite.path
optional.storage.dsnSecret.secretName: optional.storage.dsnSecret.name
optional.storage.dsnSecret.secretKey: optional.storage.dsnSecret.key
optional.storage.dsnSecret.dsn: ""
optional.storage.dsnSecret.value: ""
optional.storage.sidecar.env: optional.storage.sidecar.extraEnv
optional.storage.sidecar.metricsPort: optional.storage.sidecar.opsPort
router.replicaCount: router.replicas
router.env: router.extraEnv
router.args: router.extraArgs
router.storage: optional.storage
router.sidecar: optional.storage.sidecar
{{- end -}}

{{- define "agenttier.guards.names" -}}
  {{- $g := . -}}
  {{- $misses := include "agenttier.guards.near-misses" . | fromYaml -}}
  {{- if not $g.root.Chart.IsRoot -}}
    {{- $misses = omit $misses "enabled" -}}
  {{- end -}}
  {{- range $from, $to := $misses -}}
    {{- $keys := splitList "." $from -}}
    {{- $node := $g.root.Values -}}
    {{- range initial $keys -}}
      {{- $node = ternary (get (ternary $node dict (kindIs "map" $node)) .) nil (kindIs "map" $node) -}}
    {{- end -}}
    {{- if kindIs "map" $node -}}
      {{- if hasKey $node (last $keys) -}}
        {{- if $to -}}
          {{- include "agenttier.refuse" (list $g (printf "%s is not a value of this chart and would have no effect. Set %s instead." $from $to)) -}}
        {{- else -}}
          {{- include "agenttier.refuse" (list $g (printf "%s is not a value of this chart: what connects to a database is read from a Secret alone, since values are kept in the release and shown by `helm get values`. Put the whole DSN into a Secret and set optional.storage.dsnSecret.name (and .key) to where it lies." $from)) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
