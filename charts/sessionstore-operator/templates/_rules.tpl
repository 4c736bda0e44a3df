{{/*
What the operator does in a namespace with SessionStores: for all of them in a ClusterRole, or in a
Role for each of watchNamespaces. Nothing is allowed that its code does not call.

Objects are made by server-side apply: `patch`, and `create` where there is none yet; `get` looks
before the first apply whether somebody else has an object of that name; `list` and `watch` see what
others change, so that it is repaired; `delete` removes what a SessionStore no longer asks for.
*/}}
{{- define "sessionstore-operator.rules" -}}
# What it is asked for. It never changes a spec, nor makes or deletes a SessionStore.
- apiGroups: [sessionstore.dev]
  resources: [sessionstores]
  verbs: [list, watch]
# What it has found.
- apiGroups: [sessionstore.dev]
  resources: [sessionstores/status]
  verbs: [patch]
# Where owner references are checked (OpenShift): its objects hold up the deletion of their owner.
- apiGroups: [sessionstore.dev]
  resources: [sessionstores/finalizers]
  verbs: [update]
# Keys, passwords and connection strings that it makes, and the connection string that
# mongodb.external.uriSecretRef names. By labels or names RBAC cannot limit this: see the security
# model in docs/operator.md.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
# Names of members and of the API.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
# Who may talk to members and to the API.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# How many pods a drain may take.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# The members, and the API.
- apiGroups: [apps]
  resources: [statefulsets, deployments]
  verbs: [get, list, watch, create, patch, delete]
# How many pods they have; under a field manager of its own, so that an autoscaler can take over.
- apiGroups: [apps]
  resources: [statefulsets/scale, deployments/scale]
  verbs: [patch]
# The API by load.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# What Prometheus scrapes, where the cluster knows this kind.
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors]
  verbs: [get, list, watch, create, patch, delete]
# How the members' pods are; one that does nothing for its set is deleted, to be made anew.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, delete]
# One that does something is evicted, so that disruption budgets are kept.
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
# The readiness gate sessionstore.dev/member.
- apiGroups: [""]
  resources: [pods/status]
  verbs: [patch]
# Which volumes there are; one is deleted only if a person permits it by an annotation.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, watch, delete]
# What has begun or ended; a repeated one is counted up.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
