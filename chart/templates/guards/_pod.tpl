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
