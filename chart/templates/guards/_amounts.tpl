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
      {{- $bytes := ternary (include "agenttier.quantity-bytes" $text) "0" $known | float64 -}}
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
      {{- $limit := include "agenttier.quantity-bytes" $memory -}}
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
    {{- $_ := set $all "optional.storage.test.resources" $g.storage.test.resources -}}
  {{- end -}}
  {{- range $path, $resources := $all -}}
    {{- $limits := ($resources).limits | default dict -}}
    {{- range $key, $requested := ($resources).requests | default dict -}}
      {{- $limit := get $limits $key -}}
      {{- $least := include "agenttier.quantity-number" $requested -}}
      {{- $most := include "agenttier.quantity-number" $limit -}}
      {{- if and $least $most (gt (float64 (default "0" $least)) (float64 (default "0" $most))) -}}
        {{- include "agenttier.refuse" (list $g (printf "%s.requests.%s is %s, more than its limits.%s (%s): Kubernetes would refuse the %s. Raise the limit, or lower the request." $path $key (include "agenttier.guards.shown" $requested) $key (include "agenttier.guards.shown" $limit) (ternary "Pod of `helm test`" "Deployment" (eq $path "optional.storage.test.resources")))) -}}
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
  {{- $grace := ternary (include "agenttier.duration-seconds" $g.storage.sidecar.shutdownGrace) "0" (eq (toString $g.storage.sidecar.enabled) "true") -}}
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
