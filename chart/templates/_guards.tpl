{{/*
Every check that values.schema.json cannot make: values that are wrong together, that only this
cluster can refuse, or whose refusal must not print them (Helm prints a value that the schema refuses).

A message names the value, the consequence and the fix. All problems are told at once, once the schema
has let the values through. `guards` is the entry; below it stand, each for itself,

  sections, names, secrets         what the values are called, and what must not be in them
  driver, autoscaling, replicas,
  path, claim, env, args, images,
  account, volumes, sidecar,
  init-containers,
  memory, resources, grace         what they mean together
  base, live-claim, other-claim,
  selector, upstream               what the cluster would say, or has already

and at the end how quantities and durations are read. Each takes `$g`: the `root`, the `problems` so
far, and what `guards` worked out once. Text between actions is trimmed away, so all of it is indented.
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

{{/* What `null` has removed took the chart's default with it; sections that may be empty are not here. */}}
{{- define "agenttier.guards.sections" -}}
  {{- $g := . -}}
  {{- $sections := list
    "router" "router.image" "router.autoscaling" "router.service" "router.rateLimit" "router.serviceAccount"
    "router.rbac" "router.probes" "router.podDisruptionBudget" "auth" "auth.oidc" "cors" "defaults"
    "networking" "observability" "observability.otlp" "optional" "optional.storage"
    "optional.storage.sqlite" "optional.storage.sqlite.persistence" "optional.storage.dsnSecret"
    "optional.storage.sidecar" "optional.storage.sidecar.image"
    "optional.storage.upgrade" "optional.storage.podMonitor" "optional.storage.networkPolicy"
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

{{/*
Anything that looks like a DSN or a password, at any depth, in keys too. Takes (g, node, path). A URL is
one where it is a database's, or has a user in it; Go's form of a DSN has no scheme.
*/}}
{{- define "agenttier.guards.secrets" -}}
  {{- $g := .g -}}
  {{- $path := .path -}}
  {{- $secret := `(?i)\b(postgres(ql)?|mysql|mariadb)://|://[^/\s]*@|(password|passwd|pwd)\s*=|@[a-z0-9]*\(|(^|\s)[^/\s]*:\S*@/` -}}
  {{- if kindIs "map" .node -}}
    {{- range $key, $value := .node -}}
      {{- if regexMatch $secret $key -}}
        {{- include "agenttier.refuse" (list $g (printf "a key below %s looks like a DSN or a password (it is not shown): values are kept in the release and shown by `helm get values`. Put it into a Secret, set optional.storage.dsnSecret.name to its name, and change the password if this reached a log." $path)) -}}
      {{- else -}}
        {{- include "agenttier.guards.secrets" (dict "g" $g "node" $value "path" (printf "%s.%s" $path $key)) -}}
      {{- end -}}
    {{- end -}}
  {{- else if kindIs "slice" .node -}}
    {{- range $i, $value := .node -}}
      {{- include "agenttier.guards.secrets" (dict "g" $g "node" $value "path" (printf "%s[%d]" $path $i)) -}}
    {{- end -}}
  {{- else if kindIs "string" .node -}}
    {{- if regexMatch $secret .node -}}
      {{- if regexMatch `^optional\.storage\.sidecar\.(extraEnv|extraInitContainers\[[0-9]+\]\.env)\[` $path -}}
        {{- include "agenttier.refuse" (list $g (printf "%s looks like a DSN or a password (it is not shown): values are kept in the release and shown by `helm get values`. Put it into a Secret and name that with valueFrom.secretKeyRef in place of value (the database's DSN with optional.storage.dsnSecret.name), and change the password if this reached a log." $path)) -}}
      {{- else -}}
        {{- include "agenttier.refuse" (list $g (printf "%s looks like a DSN or a password (it is not shown): values are kept in the release and shown by `helm get values`. Put it into a Secret, set optional.storage.dsnSecret.name to its name, and change the password if this reached a log." $path)) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* The value as a message may show it: one in the wrong place can be a secret. As the sidecar does. */}}
{{- define "agenttier.guards.shown" -}}
  {{- $text := toString . -}}
  {{- if and (regexMatch `^[\pL\pN _.:+/\[\]%,~-]{1,120}$` $text) (not (contains "://" $text)) -}}
    {{ $text }}
  {{- else if eq $text "" -}}
    empty
  {{- else -}}
    a text that is not shown
  {{- end -}}
{{- end -}}

{{- define "agenttier.guards.driver" -}}
  {{- $g := . -}}
  {{- $s := $g.storage -}}
  {{- if and $s.enabled (not (or $g.sqlite $g.server)) -}}
    {{- include "agenttier.refuse" (list $g (printf "optional.storage.driver is %s, which no store answers to: nothing would be recorded. Set it to sqlite, postgres or mysql; to have no storage set optional.storage.enabled=false." (include "agenttier.guards.shown" $s.driver))) -}}
  {{- end -}}
  {{- $name := toString ($s.dsnSecret.name | default "") -}}
  {{- if and $g.server (not $name) -}}
    {{- include "agenttier.refuse" (list $g (printf "optional.storage.dsnSecret.name is empty with optional.storage.driver=%s: the sidecar would not know its database, and storage would stay down. Make a Secret that holds the DSN (kubectl create secret generic agenttier-db --from-file=dsn=FILE) and set optional.storage.dsnSecret.name=agenttier-db." $s.driver)) -}}
  {{- else if and $name (or (gt (len $name) 253) (not (regexMatch `^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$` $name))) -}}
    {{- include "agenttier.refuse" (list $g "optional.storage.dsnSecret.name is not the name of a Secret (it is not shown, since it may be a secret itself): Kubernetes would refuse the Pod. Set it to the name of a Secret (lower case letters, digits, `-` and `.`) that holds the DSN.") -}}
  {{- end -}}
  {{- $key := toString $s.dsnSecret.key -}}
  {{- if or (not (regexMatch `^[-._a-zA-Z0-9]{1,253}$` $key)) (eq $key ".") (hasPrefix ".." $key) -}}
    {{- include "agenttier.refuse" (list $g "optional.storage.dsnSecret.key is not a key of a Secret (it is not shown, since it may be a secret itself): Kubernetes would refuse the Pod. Set it to the key below which the Secret holds the DSN, as dsn.") -}}
  {{- end -}}
{{- end -}}

{{- define "agenttier.guards.autoscaling" -}}
  {{- $g := . -}}
  {{- $r := $g.root.Values.router -}}
  {{- $a := $r.autoscaling -}}
  {{- if $a.enabled -}}
    {{- if $g.sqlite -}}
      {{- include "agenttier.refuse" (list $g "router.autoscaling.enabled is true with optional.storage.driver=sqlite: one SQLite file has one writer, so there is one Router. Set router.autoscaling.enabled=false, or optional.storage.driver to postgres or mysql.") -}}
    {{- end -}}
    {{- if include "agenttier.is-set" $r.replicas -}}
      {{- include "agenttier.refuse" (list $g (printf "router.replicas is %s while router.autoscaling.enabled is true: each upgrade would undo what the autoscaler did. Take it out (--set router.replicas=null) and set router.autoscaling.minReplicas, or set router.autoscaling.enabled=false." (include "agenttier.guards.shown" $r.replicas))) -}}
    {{- end -}}
    {{- $whole := true -}}
    {{- range $key := list "minReplicas" "maxReplicas" -}}
      {{- if not (regexMatch `^[1-9][0-9]{0,8}$` (toString (get $a $key))) -}}
        {{- $whole = false -}}
        {{- include "agenttier.refuse" (list $g (printf "router.autoscaling.%s is %s, which is not a whole number of at least 1: Kubernetes would refuse the autoscaler. Write it as 2 or 5." $key (include "agenttier.guards.shown" (get $a $key | default 0)))) -}}
      {{- end -}}
    {{- end -}}
    {{- if and $whole (gt (int64 $a.minReplicas) (int64 $a.maxReplicas)) -}}
      {{- include "agenttier.refuse" (list $g (printf "router.autoscaling.minReplicas is %d, more than maxReplicas (%d): Kubernetes would refuse the autoscaler. Raise maxReplicas, or lower minReplicas." (int64 $a.minReplicas) (int64 $a.maxReplicas))) -}}
    {{- end -}}
    {{- if not $a.metrics -}}
      {{- if not (regexMatch `^[1-9][0-9]{0,8}$` (toString $a.targetCPUUtilizationPercentage)) -}}
        {{- include "agenttier.refuse" (list $g (printf "router.autoscaling.targetCPUUtilizationPercentage is %s, which is not a whole number of at least 1, and router.autoscaling.metrics is empty: the autoscaler would have nothing to go by. Write it as 80, or give metrics." (include "agenttier.guards.shown" ($a.targetCPUUtilizationPercentage | default 0)))) -}}
      {{- end -}}
      {{- $resources := $r.resources | default dict -}}
      {{- if not (or ($resources.requests).cpu ($resources.limits).cpu) -}}
        {{- include "agenttier.refuse" (list $g "router.autoscaling.targetCPUUtilizationPercentage is a share of router.resources.requests.cpu, which is not set: the autoscaler would never scale. Set router.resources.requests.cpu, as 100m, or give router.autoscaling.metrics.") -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{- define "agenttier.guards.replicas" -}}
  {{- $g := . -}}
  {{- $shown := include "agenttier.guards.shown" $g.replicas -}}
  {{- if not (regexMatch `^[0-9]{1,9}$` $g.replicas) -}}
    {{- include "agenttier.refuse" (list $g (printf "router.replicas is %s, which is not a whole number: Kubernetes would refuse the Deployment. Write it as 1 or 2, or leave it unset (1 with sqlite, else 2)." $shown)) -}}
  {{- else -}}
    {{- $replicas := atoi $g.replicas -}}
    {{- if and $g.sqlite (gt $replicas 1) (not $g.root.Values.router.autoscaling.enabled) -}}
      {{- include "agenttier.refuse" (list $g (printf "router.replicas is %d with optional.storage.driver=sqlite: one SQLite file has one writer, so the other Routers would record nothing, or not start at all. Set router.replicas=1 (or leave it unset), or set optional.storage.driver to postgres or mysql." $replicas)) -}}
    {{- end -}}
    {{- $pdb := $g.root.Values.router.podDisruptionBudget -}}
    {{- if $pdb.enabled -}}
      {{- $min := include "agenttier.plain" ($pdb.minAvailable | default "0") -}}
      {{- $minSet := include "agenttier.is-set" $pdb.minAvailable -}}
      {{- if and $minSet (include "agenttier.is-set" $pdb.maxUnavailable) -}}
        {{- include "agenttier.refuse" (list $g "router.podDisruptionBudget has both minAvailable and maxUnavailable: Kubernetes takes one of them and would refuse the budget. Set the other one to null.") -}}
      {{- end -}}
      {{- /* Kubernetes rounds a share of Pods that stay up. */ -}}
      {{- $stay := int64 (trimSuffix "%" $min) -}}
      {{- if hasSuffix "%" $min -}}
        {{- $stay = int64 (ceil (divf (mulf $stay $replicas) 100)) -}}
      {{- end -}}
      {{- if and (gt $stay 0) (gt $replicas 0) (ge $stay (int64 $replicas)) -}}
        {{- include "agenttier.refuse" (list $g (printf "router.podDisruptionBudget.minAvailable is %s with %d replica(s) of the Router, so that %d have to stay: no Pod may ever be evicted, and every `kubectl drain` of its node hangs. Set router.podDisruptionBudget.maxUnavailable=1 instead, or turn the budget off." $min $replicas $stay)) -}}
      {{- end -}}
      {{- if has (toString $pdb.maxUnavailable) (list "0" "0%") -}}
        {{- include "agenttier.refuse" (list $g (printf "router.podDisruptionBudget.maxUnavailable is %s: no Pod may ever be evicted, and every `kubectl drain` of its node hangs. Set it to 1, or turn the budget off." (toString $pdb.maxUnavailable))) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* The volume is mounted at the directory of the path, in place of what the image holds there. */}}
{{- define "agenttier.guards.path" -}}
  {{- $g := . -}}
  {{- $path := toString $g.storage.sqlite.path -}}
  {{- if $g.sqlite -}}
    {{- $shown := include "agenttier.guards.shown" $path -}}
    {{- $dir := dir $path -}}
    {{- $hidden := list
      "/etc" "/usr" "/bin" "/sbin" "/lib" "/lib32" "/lib64" "/libx32" "/boot" "/proc" "/sys" "/dev"
      "/run" "/tmp" "/var" "/var/run" "/var/lib" "/root" "/home" "/app"
    -}}
    {{- $problem := "" -}}
    {{- if not (hasPrefix "/" $path) -}}
      {{- $problem = "which does not begin with `/`: there is no directory that the volume could be mounted at" -}}
    {{- else if hasSuffix "/" $path -}}
      {{- $problem = "which ends in `/`: it names a directory, and SQLite needs a file" -}}
    {{- else if ne (clean $path) $path -}}
      {{- $problem = "which has `.`, `..` or `//` in it: the volume could be mounted elsewhere than it seems" -}}
    {{- else if eq $dir "/" -}}
      {{- $problem = "which lies directly below `/`: the volume would be mounted over the whole root of the container" -}}
    {{- else if or (has $dir $hidden) (regexMatch `^/(usr|bin|sbin|lib|lib32|lib64|libx32|proc|sys|dev)/` $path) -}}
      {{- $problem = printf "which lies in %s: the volume would hide what the container needs there" (include "agenttier.guards.shown" $dir) -}}
    {{- else if contains ":" $path -}}
      {{- $problem = "which has a `:` in it: Kubernetes mounts no volume there" -}}
    {{- end -}}
    {{- with $problem -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.path is %s, %s. Set it to a file in a directory of its own, as /var/lib/agenttier/agenttier.db." $shown .)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{- define "agenttier.guards.claim" -}}
  {{- $g := . -}}
  {{- $p := $g.storage.sqlite.persistence -}}
  {{- $sizeSet := eq (include "agenttier.is-set" $p.size) "true" -}}
  {{- if $g.sqlite -}}
    {{- if $p.existingClaim -}}
      {{- if not $p.enabled -}}
        {{- include "agenttier.refuse" (list $g "optional.storage.sqlite.persistence.existingClaim is set while persistence.enabled=false: the records would go to a volume that ends with the Pod, not to your claim. Set persistence.enabled=true, or leave existingClaim empty.") -}}
      {{- end -}}
      {{- range $key := ternary (list "size") (list) $sizeSet | concat (ternary (list "storageClassName") (list) (ne (toString (default "" $p.storageClassName)) "")) -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.%s is set together with existingClaim: the chart makes no claim then, and it would have no effect. Leave it out (change the claim itself), or leave existingClaim empty." $key)) -}}
      {{- end -}}
    {{- end -}}
    {{- $existing := toString ($p.existingClaim | default "") -}}
    {{- if and $existing (or (gt (len $existing) 253) (not (regexMatch `^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$` $existing))) -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.existingClaim is %s, which is not the name of a claim: Kubernetes would refuse the Pod. Write it as kubectl get pvc shows it (lower case letters, digits, `-` and `.`)." (include "agenttier.guards.shown" $existing))) -}}
    {{- end -}}
    {{- $mode := toString $p.accessMode -}}
    {{- if not (has $mode (list "ReadWriteOnce" "ReadWriteOncePod")) -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.accessMode is %s: a SQLite file has one writer, on one node, and shared filesystems break its locks. Set it to ReadWriteOnce or ReadWriteOncePod; to have several Routers use postgres or mysql." (include "agenttier.guards.shown" $mode))) -}}
    {{- end -}}
    {{- if $sizeSet -}}
      {{- $bytes := include "agenttier.guards.bytes" $p.size -}}
      {{- if not $bytes -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.size is %s, which is not a quantity: Kubernetes would refuse the claim. Write it as 1Gi, 500Mi or 10G." (include "agenttier.guards.shown" $p.size))) -}}
      {{- else if lt (float64 $bytes) 1048576.0 -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.size is %s, that is %s byte(s): no database fits (`m` means thousandths). Write it as 1Gi, 500Mi or 10G." (include "agenttier.guards.shown" $p.size) $bytes)) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{- define "agenttier.guards.env" -}}
  {{- $g := . -}}
  {{- $sets := dict
    "STORAGE_DRIVER" "optional.storage.driver"
    "STORAGE_SQLITE_PATH" "optional.storage.sqlite.path"
    "STORAGE_DSN" "optional.storage.dsnSecret.name"
    "STORAGE_DSN_FILE" "optional.storage.dsnSecret.key"
    "STORAGE_API_ADDRESS" "optional.storage.sidecar.port"
    "STORAGE_OPS_ADDRESS" "optional.storage.sidecar.opsPort"
    "STORAGE_QUEUE_BYTES" "optional.storage.sidecar.queueBytes"
    "STORAGE_SQLITE_CACHE" "optional.storage.sidecar.sqliteCache"
    "STORAGE_SHUTDOWN_GRACE" "optional.storage.sidecar.shutdownGrace"
    "STORAGE_LOG_LEVEL" "optional.storage.sidecar.logLevel"
    "STORAGE_SIDECAR_URL" "optional.storage.sidecar.port"
  -}}
  {{- $values := $g.root.Values -}}
  {{- $ofRouter := dict "POD_NAMESPACE" "nothing: it is the release's namespace" "SANDBOX_NAMESPACE" "defaults.sandboxNamespace" -}}
  {{- if $values.observability.otlp.endpoint -}}
    {{- $ofRouter = merge $ofRouter (dict "OTEL_EXPORTER_OTLP_ENDPOINT" "observability.otlp.endpoint" "OTEL_EXPORTER_OTLP_INSECURE" "observability.otlp.insecure") -}}
  {{- end -}}
  {{- /* What libpq, the MySQL client, their images and pg would take; the sidecar hands pg and mysql2 all they need. */ -}}
  {{- $ofClients := `^(PG[A-Z]+(_[A-Z]+)*|MYSQL_(PWD|TCP_PORT|UNIX_PORT)|(POSTGRES|MYSQL|MARIADB)_(HOST|PORT|USER|PASSWORD|DB|DATABASE))$` -}}
  {{- $lists := dict "router.extraEnv" $values.router.extraEnv "optional.storage.sidecar.extraEnv" $g.storage.sidecar.extraEnv -}}
  {{- range $i, $container := $g.storage.sidecar.extraInitContainers -}}
    {{- $_ := set $lists (printf "optional.storage.sidecar.extraInitContainers[%d].env" $i) $container.env -}}
  {{- end -}}
  {{- range $path, $list := $lists -}}
    {{- $chart := merge (dict) $sets (ternary $ofRouter dict (eq $path "router.extraEnv")) -}}
    {{- if hasSuffix ".env" $path -}}
      {{- $chart = dict -}}
    {{- end -}}
    {{- if not $g.storage.sidecar.enabled -}}
      {{- $chart = omit $chart "STORAGE_SIDECAR_URL" -}}
    {{- end -}}
    {{- $seen := list -}}
    {{- range $i, $env := $list -}}
      {{- $name := toString (get (ternary $env dict (kindIs "map" $env)) "name") -}}
      {{- if hasKey $chart $name -}}
        {{- include "agenttier.refuse" (list $g (printf "%s[%d] names %s, which the chart sets itself, where it is needed: of two that disagree one would win unseen. Take it out and set %s." $path $i $name (get $chart $name))) -}}
      {{- else if has $name $seen -}}
        {{- include "agenttier.refuse" (list $g (printf "%s[%d] names %s a second time: the later one would win unseen, and Helm 4 could not apply it. Leave one of them." $path $i (include "agenttier.guards.shown" $name))) -}}
      {{- else if and (hasPrefix "optional.storage." $path) (regexMatch `(?i)(password|passwd|pwd)$` $name) (kindIs "map" $env) (get (ternary $env dict (kindIs "map" $env)) "value") -}}
        {{- $mend := ternary "Take it out: the sidecar reads no password but that of the DSN. Put the whole DSN into a Secret and set optional.storage.dsnSecret.name." "Put it into a Secret and name that with valueFrom.secretKeyRef." (eq $path "optional.storage.sidecar.extraEnv") -}}
        {{- include "agenttier.refuse" (list $g (printf "%s[%d] gives %s as plain text: values are kept in the release and shown by `helm get values`. %s" $path $i (include "agenttier.guards.shown" $name) $mend)) -}}
      {{- else if and (eq $path "optional.storage.sidecar.extraEnv") (regexMatch $ofClients $name) -}}
        {{- include "agenttier.refuse" (list $g (printf "%s[%d] names %s, which has no effect: the sidecar takes everything about its database from the DSN. Take it out, put the whole DSN into a Secret and set optional.storage.dsnSecret.name." $path $i $name)) -}}
      {{- end -}}
      {{- $seen = append $seen $name -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* Go's flags: one dash or two, the value behind `=` or as the next argument; the last of two wins. */}}
{{- define "agenttier.guards.args" -}}
  {{- $g := . -}}
  {{- $values := $g.root.Values -}}
  {{- $sets := dict
    "oidc-issuer" "auth.oidc.issuerUrl"
    "oidc-client-id" "auth.oidc.clientId"
    "admin-group" "auth.oidc.adminGroup"
    "group-claim" "auth.oidc.groupClaim"
    "preview-domain" "networking.previewDomain"
    "ingress-class-name" "networking.portForwardIngressClass"
  -}}
  {{- if $values.auth.devAuth -}}
    {{- $_ := set $sets "dev-auth" "auth.devAuth" -}}
  {{- end -}}
  {{- if $values.cors.allowedOrigins -}}
    {{- $_ := set $sets "cors-allowed-origins" "cors.allowedOrigins" -}}
  {{- end -}}
  {{- if $values.router.rateLimit.perIPPerSecond -}}
    {{- $_ := set $sets "ratelimit-per-ip-rate" "router.rateLimit.perIPPerSecond" -}}
  {{- end -}}
  {{- if $values.router.rateLimit.perUserPerSecond -}}
    {{- $_ := set $sets "ratelimit-per-user-rate" "router.rateLimit.perUserPerSecond" -}}
  {{- end -}}
  {{- range $i, $arg := $values.router.extraArgs -}}
    {{- $flag := regexFind `^--?[^-=][^=]*` $arg | trimPrefix "-" | trimPrefix "-" -}}
    {{- if eq $flag "listen-addr" -}}
      {{- include "agenttier.refuse" (list $g (printf "router.extraArgs[%d] gives --listen-addr, which is fixed at :8080: probes, Services and the network policy would miss the Router. Take it out; the port that its callers use is router.service.port." $i)) -}}
    {{- else if hasKey $sets $flag -}}
      {{- include "agenttier.refuse" (list $g (printf "router.extraArgs[%d] gives --%s, which the chart sets itself: the later one would win unseen. Take it out and set %s." $i $flag (get $sets $flag))) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* A reference that is none would be found out by the kubelet, when the old Pod has gone already. */}}
{{- define "agenttier.guards.images" -}}
  {{- $g := . -}}
  {{- $images := dict "router.image" $g.root.Values.router.image -}}
  {{- if $g.storage.sidecar.enabled -}}
    {{- $_ := set $images "optional.storage.sidecar.image" $g.storage.sidecar.image -}}
  {{- end -}}
  {{- $seen := list -}}
  {{- range $i, $secret := $g.root.Values.imagePullSecrets -}}
    {{- if has $secret.name $seen -}}
      {{- include "agenttier.refuse" (list $g (printf "imagePullSecrets[%d] names %s a second time: Helm 4 could not apply it. Leave one of them." $i (include "agenttier.guards.shown" $secret.name))) -}}
    {{- end -}}
    {{- $seen = append $seen $secret.name -}}
  {{- end -}}
  {{- $part := `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` -}}
  {{- $repository := printf `^(([a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]+)?/)?%s(/%s)*$` $part $part -}}
  {{- range $path, $image := $images -}}
    {{- if not (regexMatch $repository (include "agenttier.repository" (dict "root" $g.root "repository" $image.repository))) -}}
      {{- include "agenttier.refuse" (list $g (printf "%s.repository is %s, which with its registry (global.registry for a name without a slash) is no repository of images: the image could not be pulled. Write it as registry.example.com:5000/team/name, in lower case, without a scheme, and put a tag into %s.tag." $path (include "agenttier.guards.shown" $image.repository) $path)) -}}
    {{- end -}}
    {{- if not (regexMatch `^([a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?)?$` ($image.tag | default "")) -}}
      {{- include "agenttier.refuse" (list $g (printf "%s.tag is %s, which is no tag of an image: it could not be pulled. Write it as v1.2.3, or with its digest as v1.2.3@sha256:..." $path (include "agenttier.guards.shown" $image.tag))) -}}
    {{- end -}}
    {{- if not (regexMatch `^(sha256:[0-9a-f]{64})?$` ($image.digest | default "")) -}}
      {{- include "agenttier.refuse" (list $g (printf "%s.digest is %s, which is no digest: the image could not be pulled. Write it as sha256: and 64 hexadecimal digits in lower case." $path (include "agenttier.guards.shown" $image.digest))) -}}
    {{- end -}}
    {{- if not (has ($image.pullPolicy | default "Always") (list "Always" "IfNotPresent" "Never")) -}}
      {{- include "agenttier.refuse" (list $g (printf "%s.pullPolicy is %s: Kubernetes would refuse the Deployment. Set it to Always, IfNotPresent or Never." $path (include "agenttier.guards.shown" $image.pullPolicy))) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{- define "agenttier.guards.account" -}}
  {{- $g := . -}}
  {{- with $g.root.Values.router.serviceAccount -}}
    {{- if and .create (eq (toString .name) "default") -}}
      {{- include "agenttier.refuse" (list $g "router.serviceAccount.name is default while router.serviceAccount.create is true: every namespace has that account already, and Helm would refuse to take it over. Set router.serviceAccount.create=false to use it, or another name.") -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* The volumes of the Pod have names in common; what is mounted hides what was there. */}}
{{- define "agenttier.guards.volumes" -}}
  {{- $g := . -}}
  {{- $r := $g.root.Values.router -}}
  {{- $c := $g.storage.sidecar -}}
  {{- $extra := dict "volumes" (list) "mounts" (list) -}}
  {{- if $g.storage.enabled -}}
    {{- $extra = dict "volumes" $c.extraVolumes "mounts" $c.extraVolumeMounts -}}
  {{- end -}}
  {{- $own := list "api-access" "storage" "dsn" -}}
  {{- $names := list -}}
  {{- range $path, $list := dict "router.extraVolumes" $r.extraVolumes "optional.storage.sidecar.extraVolumes" $extra.volumes -}}
    {{- range $i, $volume := $list -}}
      {{- if has $volume.name (concat $own $names) -}}
        {{- include "agenttier.refuse" (list $g (printf "%s[%d] is called %s, as another volume of the Pod is (api-access, storage and dsn are the chart's own): Kubernetes would refuse the Pod. Give it another name." $path $i (include "agenttier.guards.shown" $volume.name))) -}}
      {{- end -}}
      {{- $names = append $names $volume.name -}}
    {{- end -}}
  {{- end -}}
  {{- $token := "/var/run/secrets/kubernetes.io/serviceaccount" -}}
  {{- $data := ternary "/run/agenttier" (dir (toString $g.storage.sqlite.path)) $g.server -}}
  {{- /* Where the sidecar's image has Node, its libraries and the program; a file of one's own may lie in /etc. */ -}}
  {{- $program := `^/((app|etc|dev|usr|usr/local)?|(proc|sys)(/.*)?|(usr/)?(local/)?(bin|sbin|lib|lib32|lib64|libx32)(/.*)?)$` -}}
  {{- $ofRouter := "router.extraVolumeMounts" -}}
  {{- $ofSidecar := "optional.storage.sidecar.extraVolumeMounts" -}}
  {{- $lists := dict $ofRouter $r.extraVolumeMounts $ofSidecar $extra.mounts -}}
  {{- range $i, $container := ternary $c.extraInitContainers list $g.storage.enabled -}}
    {{- $_ := set $lists (printf "optional.storage.sidecar.extraInitContainers[%d].volumeMounts" $i) $container.volumeMounts -}}
  {{- end -}}
  {{- $there := dict $ofRouter $token $ofSidecar $data -}}
  {{- range $path, $list := $lists -}}
    {{- $taken := list (get $there $path) -}}
    {{- $readOnly := get (ternary $there (omit $there $ofSidecar) $g.server) $path -}}
    {{- range $i, $mount := $list -}}
      {{- if not (has $mount.name $names) -}}
        {{- include "agenttier.refuse" (list $g (printf "%s[%d] mounts %s, which router.extraVolumes and optional.storage.sidecar.extraVolumes (while storage is on) do not have: Kubernetes would refuse the Pod, or the container get what is not meant for it. Add the volume there, or correct the name." $path $i (include "agenttier.guards.shown" $mount.name))) -}}
      {{- end -}}
      {{- $at := clean $mount.mountPath -}}
      {{- /* Nothing can be mounted inside of what is read-only. */ -}}
      {{- if or (has $at $taken) (and $readOnly (hasPrefix (printf "%s/" $readOnly) $at)) -}}
        {{- include "agenttier.refuse" (list $g (printf "%s[%d] is mounted at %s, where another volume of the container is: Kubernetes would refuse the Pod, or the container not start. Mount it elsewhere, as at /etc/agenttier/ca." $path $i (include "agenttier.guards.shown" $mount.mountPath))) -}}
      {{- else if and (eq $path $ofSidecar) (regexMatch $program $at) -}}
        {{- include "agenttier.refuse" (list $g (printf "%s[%d] is mounted at %s, which would hide the sidecar's program or what that needs: it would not start. Mount it elsewhere, as at /etc/agenttier/ca." $path $i (include "agenttier.guards.shown" $mount.mountPath))) -}}
      {{- end -}}
      {{- $taken = append $taken $at -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{- define "agenttier.guards.sidecar" -}}
  {{- $g := . -}}
  {{- $c := $g.storage.sidecar -}}
  {{- if not $c.enabled -}}
    {{- if $g.storage.enabled -}}
      {{- include "agenttier.refuse" (list $g "optional.storage.sidecar.enabled is false while optional.storage.enabled is true: it is the sidecar that records, so nothing would be. Set optional.storage.sidecar.enabled=true, or optional.storage.enabled=false.") -}}
    {{- end -}}
  {{- else -}}
    {{- /* The Router listens on 8080, and all containers of a Pod share its ports. */ -}}
    {{- range $key := list "port" "opsPort" -}}
      {{- $port := toString (get $c $key) -}}
      {{- if eq $port "8080" -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.%s is 8080, on which the Router listens: the containers of a Pod share its ports, so one of both would not start. Set it to another port, as %s." $key (ternary "8085" "8086" (eq $key "port")))) -}}
      {{- end -}}
    {{- end -}}
    {{- if eq (toString $c.port) (toString $c.opsPort) -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.port and optional.storage.sidecar.opsPort are both %s: only one of API and health could listen, and the liveness probe would restart the sidecar for ever. Set them to different ports, as 8085 and 8086." (include "agenttier.guards.shown" $c.port))) -}}
    {{- end -}}
    {{- $native := toString $c.native -}}
    {{- if not (has $native (list "auto" "true" "false")) -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.native is %s: the chart cannot tell where to put the container. Set it to auto, true or false." (include "agenttier.guards.shown" $native))) -}}
    {{- else if and (eq $native "true") (semverCompare "<1.29.0-0" $g.root.Capabilities.KubeVersion.Version) -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.native is true on Kubernetes %s: native sidecars need 1.29, before it the Router would wait for ever for the sidecar to end. Set it to auto or false (or give --kube-version to helm template)." $g.root.Capabilities.KubeVersion.Version)) -}}
    {{- end -}}
    {{- if not (has (toString $c.logLevel) (list "trace" "debug" "info" "warn" "error" "fatal" "silent")) -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.logLevel is %s, which the sidecar does not know: it would log at info. Set it to trace, debug, info, warn, error, fatal or silent." (include "agenttier.guards.shown" $c.logLevel))) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* What starts before the sidecar, and so before the Router, which storage must not hold up. */}}
{{- define "agenttier.guards.init-containers" -}}
  {{- $g := . -}}
  {{- $c := $g.storage.sidecar -}}
  {{- if and $g.storage.enabled $c.extraInitContainers -}}
    {{- if not (include "agenttier.is-native" $g.root) -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.extraInitContainers is set, and native sidecars are off (optional.storage.sidecar.native is %s, on Kubernetes %s): the Router would wait for ever for such a container to end. Set native to auto on Kubernetes 1.29 or later, or leave extraInitContainers empty." (include "agenttier.guards.shown" $c.native) $g.root.Capabilities.KubeVersion.Version)) -}}
    {{- end -}}
    {{- $names := list "router" "storage" -}}
    {{- range $i, $container := $c.extraInitContainers -}}
      {{- $path := printf "optional.storage.sidecar.extraInitContainers[%d]" $i -}}
      {{- if has $container.name $names -}}
        {{- include "agenttier.refuse" (list $g (printf "%s is called %s, as another container of the Pod is (router and storage are the chart's own): Kubernetes would refuse the Pod. Give it another name." $path (include "agenttier.guards.shown" $container.name))) -}}
      {{- end -}}
      {{- $names = append $names $container.name -}}
      {{- if ne (toString $container.restartPolicy) "Always" -}}
        {{- include "agenttier.refuse" (list $g (printf "%s.restartPolicy is not Always: the Router would wait for it to end, for ever where it is a proxy. Set it to Always." $path)) -}}
      {{- end -}}
      {{- range $key := list "startupProbe" "readinessProbe" -}}
        {{- if get $container $key -}}
          {{- include "agenttier.refuse" (list $g (printf "%s has a %s: while it fails, the Router would not start, or get no requests, because of storage. Take it out; a livenessProbe may stay." $path $key)) -}}
        {{- end -}}
      {{- end -}}
      {{- if ($container.lifecycle).postStart -}}
        {{- include "agenttier.refuse" (list $g (printf "%s has a lifecycle.postStart: the Router would not start before that has ended. Take it out." $path)) -}}
      {{- end -}}
      {{- range $port := $container.ports -}}
        {{- $number := toString $port.containerPort -}}
        {{- if has $number (list "8080" (toString $c.port) (toString $c.opsPort)) -}}
          {{- include "agenttier.refuse" (list $g (printf "%s has the port %s, on which the Router or the sidecar listens: the containers of a Pod share its ports, so one of both would not start. Give it another port." $path $number)) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/*
120Mi is what the sidecar takes beside its queue and cache under load. A queue full of small records takes
2.7 times the bytes of what it holds, which is what its bound counts. Only SQLite has the cache.
*/}}
{{- define "agenttier.guards.memory" -}}
  {{- $g := . -}}
  {{- $c := $g.storage.sidecar -}}
  {{- if $c.enabled -}}
    {{- $sum := 125829120.0 -}}
    {{- $readable := true -}}
    {{- range $key := list "queueBytes" "sqliteCache" -}}
      {{- $text := include "agenttier.plain" (get $c $key) -}}
      {{- /* The sidecar's own grammar, which has no thousandths and no Ei, and its own bounds. */ -}}
      {{- $known := regexMatch `^([0-9]+\.?[0-9]*|\.[0-9]+)([kMGTP]|[KMGTP]i|[eE][+-]?[0-9]{1,2})?$` $text -}}
      {{- $bytes := ternary (include "agenttier.guards.bytes" $text) "0" $known | float64 -}}
      {{- $least := ternary 131072.0 65536.0 (eq $key "queueBytes") -}}
      {{- $most := ternary 9007199254740991.0 1073741824.0 (eq $key "queueBytes") -}}
      {{- if or (lt $bytes $least) (gt $bytes $most) -}}
        {{- $readable = false -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.%s is %s, which is not a number of bytes that is of use (%s): the sidecar would take its default, or find no room for a record. Write it as 32Mi, 1G or 33554432." $key (include "agenttier.guards.shown" (get $c $key)) (ternary "128Ki or more" "64Ki to 1Gi" (eq $key "queueBytes")))) -}}
      {{- else if eq $key "queueBytes" -}}
        {{- $sum = addf $sum (mulf 3 $bytes) -}}
      {{- else if $g.sqlite -}}
        {{- $sum = addf $sum $bytes -}}
      {{- end -}}
    {{- end -}}
    {{- $memory := get (($c.resources).limits | default dict) "memory" -}}
    {{- if and $readable $g.storage.enabled $memory -}}
      {{- $limit := include "agenttier.guards.bytes" $memory -}}
      {{- if not $limit -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.resources.limits.memory is %s, which is not a quantity: Kubernetes would refuse the Pod. Write it as 384Mi." (include "agenttier.guards.shown" $memory))) -}}
      {{- else if gt $sum (float64 $limit) -}}
        {{- $cache := ternary (printf " + sqliteCache (%s)" (include "agenttier.guards.shown" $c.sqliteCache)) "" $g.sqlite -}}
        {{- include "agenttier.refuse" (list $g (printf "120Mi + 3 * optional.storage.sidecar.queueBytes (%s)%s is more than its resources.limits.memory (%s): the kernel would kill the sidecar while the queue is full, and what is queued would be lost. Raise optional.storage.sidecar.resources.limits.memory to %.0fMi or more, or lower queueBytes%s." (include "agenttier.guards.shown" $c.queueBytes) $cache (include "agenttier.guards.shown" $memory) (ceil (divf $sum 1048576.0)) (ternary " or sqliteCache" "" $g.sqlite))) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{- define "agenttier.guards.resources" -}}
  {{- $g := . -}}
  {{- $all := dict "router.resources" $g.root.Values.router.resources -}}
  {{- if $g.storage.sidecar.enabled -}}
    {{- $_ := set $all "optional.storage.sidecar.resources" $g.storage.sidecar.resources -}}
  {{- end -}}
  {{- range $path, $resources := $all -}}
    {{- $limits := ($resources).limits | default dict -}}
    {{- range $key, $requested := ($resources).requests | default dict -}}
      {{- $limit := get $limits $key -}}
      {{- $least := include "agenttier.guards.number" $requested -}}
      {{- $most := include "agenttier.guards.number" $limit -}}
      {{- if and $least $most (gt (float64 (default "0" $least)) (float64 (default "0" $most))) -}}
        {{- include "agenttier.refuse" (list $g (printf "%s.requests.%s is %s, more than its limits.%s (%s): Kubernetes would refuse the Deployment. Raise the limit, or lower the request." $path $key (include "agenttier.guards.shown" $requested) $key (include "agenttier.guards.shown" $limit))) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* The Router sleeps and drains first, then the sidecar stores what is queued, then the kubelet kills. */}}
{{- define "agenttier.guards.grace" -}}
  {{- $g := . -}}
  {{- $r := $g.root.Values.router -}}
  {{- $version := $g.root.Capabilities.KubeVersion.Version -}}
  {{- range $hook := list "preStop" "postStart" -}}
    {{- if and (get ($r.lifecycle | default dict) $hook | default dict).sleep (semverCompare "<1.30.0-0" $version) -}}
      {{- include "agenttier.refuse" (list $g (printf "router.lifecycle.%s.sleep is set on Kubernetes %s: a sleep needs 1.30, before it Kubernetes would refuse the Deployment. Take it out (or give --kube-version to helm template)." $hook $version)) -}}
    {{- end -}}
  {{- end -}}
  {{- $sleep := include "agenttier.router-sleep" $g.root -}}
  {{- $whole := true -}}
  {{- range $key := list "drainSeconds" "terminationGracePeriodSeconds" -}}
    {{- if not (regexMatch `^[0-9]{1,9}$` (toString (get $r $key))) -}}
      {{- $whole = false -}}
      {{- include "agenttier.refuse" (list $g (printf "router.%s is %s, which is not a whole number of seconds: Kubernetes would refuse the Pod. Write it as 30 or 55." $key (include "agenttier.guards.shown" (get $r $key)))) -}}
    {{- end -}}
  {{- end -}}
  {{- $grace := ternary (include "agenttier.guards.seconds" $g.storage.sidecar.shutdownGrace) "0" (eq (toString $g.storage.sidecar.enabled) "true") -}}
  {{- if not $grace -}}
    {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.shutdownGrace is %s, which is not a duration: the sidecar would take 20s, whatever the Pod leaves it. Write it with its unit, as 20s or 1m30s." (include "agenttier.guards.shown" $g.storage.sidecar.shutdownGrace))) -}}
  {{- else if gt (float64 $grace) 86400.0 -}}
    {{- include "agenttier.refuse" (list $g (printf "optional.storage.sidecar.shutdownGrace is %s, which is longer than 24h: the sidecar would take 20s instead. Set it to what its last records need, as 20s." (include "agenttier.guards.shown" $g.storage.sidecar.shutdownGrace))) -}}
  {{- else if $whole -}}
    {{- $need := int64 (ceil (addf (toString $r.drainSeconds) $sleep $grace 5)) -}}
    {{- if lt (int64 (toString $r.terminationGracePeriodSeconds)) $need -}}
      {{- include "agenttier.refuse" (list $g (printf "router.terminationGracePeriodSeconds is %s, less than router.drainSeconds (%s)%s + optional.storage.sidecar.shutdownGrace (%s) + 5: the Pod would be killed while records are still being stored, and they would be lost. Set it to %d or more." (toString $r.terminationGracePeriodSeconds) (toString $r.drainSeconds) (ternary "" (printf " + router.lifecycle.preStop.sleep.seconds (%s)" $sleep) (eq $sleep "0")) (ternary (toString $g.storage.sidecar.shutdownGrace) "no sidecar, 0s" (eq (toString $g.storage.sidecar.enabled) "true")) $need)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* Before 1.36 a Service's name has to begin with a letter; a release's may begin with a digit. */}}
{{- define "agenttier.guards.base" -}}
  {{- $g := . -}}
  {{- $base := include "agenttier.base" $g.root -}}
  {{- $version := $g.root.Capabilities.KubeVersion.Version -}}
  {{- if and (regexMatch `^[0-9]` $base) (semverCompare "<1.36.0-0" $version) -}}
    {{- $from := ternary "fullnameOverride" "the release's name" (ne (toString ($g.root.Values.fullnameOverride | default "")) "") -}}
    {{- include "agenttier.refuse" (list $g (printf "%s begins with a digit, so the Services would be called %s-router and %s-router-ops: Kubernetes %s refuses a Service whose name does not begin with a letter (since 1.36 it takes one), and the rest of the release would stay behind. Set fullnameOverride to a name that does, as agenttier." $from $base $base $version)) -}}
  {{- end -}}
{{- end -}}

{{/* What Kubernetes or SQLite would refuse of the claim that the Pod mounts, in the middle of the upgrade. */}}
{{- define "agenttier.guards.live-claim" -}}
  {{- $g := . -}}
  {{- $root := $g.root -}}
  {{- $namespace := $root.Release.Namespace -}}
  {{- $p := $g.storage.sqlite.persistence -}}
  {{- $name := include "agenttier.mounted-claim" $root -}}
  {{- $live := dict -}}
  {{- if $name -}}
    {{- $live = lookup "v1" "PersistentVolumeClaim" $namespace $name -}}
  {{- end -}}
  {{- if $live -}}
    {{- $class := get $live.spec "storageClassName" | default "" -}}
    {{- if $live.metadata.deletionTimestamp -}}
      {{- include "agenttier.refuse" (list $g (printf "the claim %s is being deleted: the Pod could not start on it. Wait until it is gone (kubectl get pvc %s -n %s), then try again; to keep its data, set its volume's persistentVolumeReclaimPolicy to Retain now." $name $name $namespace)) -}}
    {{- else if $p.existingClaim -}}
      {{- $modes := $live.spec.accessModes | default list -}}
      {{- if or (has "ReadWriteMany" $modes) (not (or (has "ReadWriteOnce" $modes) (has "ReadWriteOncePod" $modes))) -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.existingClaim is %s, a claim with the access modes %s: a SQLite file has one writer, on one node, and shared filesystems break its locks. Name a claim with ReadWriteOnce or ReadWriteOncePod; to have several Routers use postgres or mysql." $name (join ", " $modes))) -}}
      {{- end -}}
      {{- if eq (get $live.spec "volumeMode" | default "Filesystem") "Block" -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.existingClaim is %s, a claim with volumeMode Block: it has no filesystem for the file, and the Pod would not start. Name a claim with volumeMode Filesystem." $name)) -}}
      {{- end -}}
    {{- else if include "agenttier.is-ours" (dict "root" $root "object" $live) -}}
      {{- $size := $live.spec.resources.requests.storage -}}
      {{- with $p.storageClassName -}}
        {{- $asked := ternary "" . (eq . "-") -}}
        {{- if ne $asked $class -}}
          {{- $otherwise := "to move the data, make a claim of the new class, copy the file with the Router scaled to 0, and set persistence.existingClaim" -}}
          {{- if ne (get ($live.status | default dict) "phase") "Bound" -}}
            {{- $otherwise = printf "or delete it (kubectl delete pvc %s -n %s), since it has no volume yet and holds nothing, and try again" $name $namespace -}}
          {{- end -}}
          {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.storageClassName is %s, and the claim %s that is there has %s: the class of a claim cannot be changed. Leave it unset or set it to %s; %s." ($asked | default "- (no class)") $name ($class | default "no class") ($class | default "-") $otherwise)) -}}
        {{- end -}}
      {{- end -}}
      {{- if and $p.size (gt (include "agenttier.guards.bytes" $p.size | float64) (include "agenttier.guards.bytes" $size | float64)) -}}
        {{- with include "agenttier.guards.no-growth" (dict "live" $live "class" $class) -}}
          {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.size is %s, and the claim %s that is there has %s: %s. Leave the size unset or set it to %s." (include "agenttier.size" $root) $name $size . $size)) -}}
        {{- end -}}
      {{- end -}}
    {{- else -}}
      {{- $owner := get ($live.metadata.annotations | default dict) "meta.helm.sh/release-name" -}}
      {{- include "agenttier.refuse" (list $g (printf "the claim %s is there already and is not of release %s (%s): Helm would refuse to take it over. Set optional.storage.sqlite.persistence.existingClaim=%s to use it as it is, or fullnameOverride to have another one." $name $root.Release.Name (ternary (printf "it is of release %s" $owner) "Helm did not make it" (ne (toString $owner) "")) $name)) -}}
    {{- end -}}
  {{- else if and $p.existingClaim $name $root.Release.IsUpgrade -}}
    {{- /* Every namespace has this account; where even it is not found there is no cluster to look into. */ -}}
    {{- if lookup "v1" "ServiceAccount" $namespace "default" -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.existingClaim is %s, and namespace %s has no claim of that name: the old Pod would go, and the new one could not start. Correct the name (kubectl get pvc -n %s), or make the claim first." $name $namespace $namespace)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/*
A claim of this release under another name, as after a change of fullnameOverride, or one that AgentTier's
full chart made: the history would begin anew on an empty claim, and an upgrade deletes what is not kept.
*/}}
{{- define "agenttier.guards.other-claim" -}}
  {{- $g := . -}}
  {{- $root := $g.root -}}
  {{- $namespace := $root.Release.Namespace -}}
  {{- $own := include "agenttier.claim-name" $root -}}
  {{- $live := include "agenttier.live-claim" $root | fromYaml -}}
  {{- if not (and $live (include "agenttier.is-ours" (dict "root" $root "object" $live))) -}}
    {{- range (lookup "v1" "PersistentVolumeClaim" $namespace "").items -}}
      {{- $name := .metadata.name -}}
      {{- $labels := .metadata.labels | default dict -}}
      {{- /* A whole version: another copy in one release may be called agenttier-2. */ -}}
      {{- $chart := regexMatch (printf `^%s-[0-9]+\.[0-9]+\.[0-9]+` $root.Chart.Name) (toString (get $labels "helm.sh/chart")) -}}
      {{- $ours := and $chart (hasSuffix "-router-storage" $name) (ne $name $own) (include "agenttier.is-ours" (dict "root" $root "object" .)) -}}
      {{- if and $ours (not .metadata.deletionTimestamp) -}}
        {{- $kept := eq (toString (get .metadata.annotations "helm.sh/resource-policy")) "keep" -}}
        {{- $lost := and $root.Release.IsUpgrade (not $kept) -}}
        {{- $mark := printf "kubectl annotate pvc %s -n %s helm.sh/resource-policy=keep" $name $namespace -}}
        {{- if and (eq (include "agenttier.mounted-claim" $root) $own) (not $root.Values.optional.storage.sqlite.persistence.existingClaim) -}}
          {{- include "agenttier.refuse" (list $g (printf "release %s has the claim %s, and these values (fullnameOverride) make it %s: a new and empty one would be made, and the history would begin anew. %s optional.storage.sqlite.persistence.existingClaim=%s to go on with it, or set fullnameOverride back. To begin anew, take it from the release: kubectl annotate pvc %s -n %s meta.helm.sh/release-name- helm.sh/resource-policy=keep" $root.Release.Name $name $own (ternary (printf "Have it kept, since this upgrade would delete it (%s), and set" $mark) "Set" $lost) $name $name $namespace)) -}}
        {{- else if $lost -}}
          {{- include "agenttier.refuse" (list $g (printf "release %s has the claim %s, which is not marked to be kept and has another name than these values make (%s): this upgrade would delete it, with all records. Have it kept first: %s" $root.Release.Name $name $own $mark)) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* What a Deployment selects its Pods by can never change, and Helm would change the Services before it. */}}
{{- define "agenttier.guards.selector" -}}
  {{- $g := . -}}
  {{- $root := $g.root -}}
  {{- $name := include "agenttier.router-name" $root -}}
  {{- $found := lookup "apps/v1" "Deployment" $root.Release.Namespace $name -}}
  {{- if and $found (include "agenttier.is-ours" (dict "root" $root "object" $found)) -}}
    {{- $live := (($found.spec).selector).matchLabels | default dict -}}
    {{- $selector := include "agenttier.selector" $root | fromYaml -}}
    {{- if ne (toJson $live) (toJson $selector) -}}
      {{- $key := "app.kubernetes.io/name" -}}
      {{- include "agenttier.refuse" (list $g (printf "nameOverride is %s, so that %s would select its Pods by %s=%s, and the Deployment that is there does by %s: Kubernetes lets no Deployment change that, and the upgrade would stop with Services that find no Pod. Set nameOverride=%s, or delete that Deployment first (kubectl delete deployment %s -n %s), which takes the Router away until the upgrade is through." ($root.Values.nameOverride | default "unset") $name $key (get $selector $key) (toJson $live) (get $live $key) $name $root.Release.Namespace)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* Why a live claim cannot grow, or nothing where it can. Takes (live, class). */}}
{{- define "agenttier.guards.no-growth" -}}
  {{- if ne (get (.live.status | default dict) "phase") "Bound" -}}
    it has no volume yet, and Kubernetes lets only a bound claim grow. Wait until it is bound, or delete it (it holds nothing)
  {{- else if not .class -}}
    it has no class, and only volumes that a class provisioned can grow
  {{- else -}}
    {{- $found := lookup "storage.k8s.io/v1" "StorageClass" "" .class -}}
    {{- if not $found -}}
      its class {{ .class }} is not there any more, and says no more whether volumes can grow
    {{- else if not $found.allowVolumeExpansion -}}
      its class {{ .class }} does not allow volumes to grow (allowVolumeExpansion)
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/*
An upgrade deletes what only the old chart renders, so of upstream's full chart nearly everything. A chart in
an umbrella takes nobody's place: the full chart may be in it too, and a subchart does not see its siblings.
*/}}
{{- define "agenttier.guards.upstream" -}}
  {{- $g := . -}}
  {{- $root := $g.root -}}
  {{- if and $root.Chart.IsRoot $root.Release.IsUpgrade (not $g.storage.upgrade.replaceUpstream) -}}
    {{- range $name := uniq (list (include "agenttier.guards.upstream-name" (dict "release" $root.Release.Name "values" $root.Values)) (include "agenttier.guards.upstream-name" (dict "release" $root.Release.Name "values" dict))) -}}
      {{- $found := lookup "apps/v1" "Deployment" $root.Release.Namespace (printf "%s-controller" $name) -}}
      {{- if $found -}}
        {{- $owner := get ($found.metadata.annotations | default dict) "meta.helm.sh/release-name" | default $root.Release.Name -}}
        {{- if eq $owner $root.Release.Name -}}
          {{- include "agenttier.refuse" (list $g (printf "release %s is an installation of the full AgentTier chart (its Deployment %s-controller is there), and optional.storage.upgrade.replaceUpstream is false: this upgrade would delete its controller, web UI and all else that this chart does not hold. Install this chart under another release name beside it, or set optional.storage.upgrade.replaceUpstream=true if that is meant." $root.Release.Name $name)) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* How the full AgentTier chart (0.8) names its objects. Takes (release, values). */}}
{{- define "agenttier.guards.upstream-name" -}}
  {{- $name := .values.nameOverride | default "agenttier" -}}
  {{- $full := .values.fullnameOverride | default (ternary .release (printf "%s-%s" .release $name) (contains $name .release)) -}}
  {{- $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Kubernetes' quantity as a number of bytes, rounded up; empty when it is none. */}}
{{- define "agenttier.guards.bytes" -}}
  {{- with include "agenttier.guards.number" . -}}
    {{- printf "%.0f" (ceil .) -}}
  {{- end -}}
{{- end -}}

{{/*
Kubernetes' quantity as a number; empty when it is none. A number from --set comes as an integer, one
from a file as a float that prints as 3.3554432e+07.
*/}}
{{- define "agenttier.guards.number" -}}
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
{{- define "agenttier.guards.seconds" -}}
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
