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
  {{- if include "agenttier.rate" $values.router.rateLimit.perIPPerSecond -}}
    {{- $_ := set $sets "ratelimit-per-ip-rate" "router.rateLimit.perIPPerSecond" -}}
  {{- end -}}
  {{- if include "agenttier.rate" $values.router.rateLimit.perUserPerSecond -}}
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
  {{- $host := `([a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]+)?` -}}
  {{- /* Told of once, and not as a fault of each image that is resolved against it. */ -}}
  {{- $registry := include "agenttier.registry" $g.root -}}
  {{- $resolved := list -}}
  {{- range $path, $image := $images -}}
    {{- if not (contains "/" $image.repository) -}}
      {{- $resolved = append $resolved (printf "%s.repository" $path) -}}
    {{- end -}}
  {{- end -}}
  {{- if and $resolved (not (regexMatch (printf `^%s(/%s)*$` $host $part) $registry)) -}}
    {{- $scheme := regexFind `^[a-z]+://` $registry -}}
    {{- include "agenttier.refuse" (list $g (printf "global.registry is %s%s, which is no registry of images, and what has a short name could not be pulled from it (%s). Write it as registry.example.com:5000 or registry.example.com/team, in lower case and without a scheme." $scheme (include "agenttier.guards.shown" (trimPrefix $scheme $registry)) (join ", " $resolved))) -}}
  {{- end -}}
  {{- $repository := printf `^(%s/)?%s(/%s)*$` $host $part $part -}}
  {{- range $path, $image := $images -}}
    {{- if not (regexMatch $repository $image.repository) -}}
      {{- include "agenttier.refuse" (list $g (printf "%s.repository is %s, which is no repository of images: the image could not be pulled. Write it as registry.example.com:5000/team/name, in lower case, without a scheme, and put a tag into %s.tag." $path (include "agenttier.guards.shown" $image.repository) $path)) -}}
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
