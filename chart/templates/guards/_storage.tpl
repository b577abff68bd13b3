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
      {{- /* An access mode has a default; the other one is known to be set, and a wrong one is told of below. */ -}}
      {{- $set := dict "size" $sizeSet "storageClassName" (ne (toString (default "" $p.storageClassName)) "") "accessMode" (eq (toString $p.accessMode) "ReadWriteOncePod") -}}
      {{- range $key, $isSet := $set -}}
        {{- if $isSet -}}
          {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.%s is set together with existingClaim: the chart makes no claim then, and it would have no effect. Leave it out (change the claim itself), or leave existingClaim empty." $key)) -}}
        {{- end -}}
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
      {{- $bytes := include "agenttier.quantity-bytes" $p.size -}}
      {{- if not $bytes -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.size is %s, which is not a quantity: Kubernetes would refuse the claim. Write it as 1Gi, 500Mi or 10G." (include "agenttier.guards.shown" $p.size))) -}}
      {{- else if lt (float64 $bytes) 1048576.0 -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.size is %s, that is %s byte(s): no database fits (`m` means thousandths). Write it as 1Gi, 500Mi or 10G." (include "agenttier.guards.shown" $p.size) $bytes)) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
