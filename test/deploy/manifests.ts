import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import { Job } from 'kubernetes-models/batch/v1/Job'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Namespace } from 'kubernetes-models/v1/Namespace'
import { Secret } from 'kubernetes-models/v1/Secret'
import { Service } from 'kubernetes-models/v1/Service'
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount'
import { at, type Node, nodeOf } from './documents.ts'

const MODELS = Object.freeze({
  ConfigMap,
  Deployment,
  HorizontalPodAutoscaler,
  Job,
  Namespace,
  NetworkPolicy,
  PodDisruptionBudget,
  Secret,
  Service,
  ServiceAccount,
})

/** Validates required fields and types by the schemas of Kubernetes, which ignore unknown fields. */
export function validate(document: Node): void {
  const Model = Object.entries(MODELS).find(([kind]) => kind === document['kind'])?.[1]
  if (Model === undefined) throw new Error(`no schema at hand for ${String(document['kind'])}`)
  // The schema checks the shape.
  new Model(document as never).validate()
}

export function nameOf(document: Node): string {
  return `${String(document['kind'])}/${String(at(document, 'metadata', 'name'))}`
}

export function ofKind(documents: readonly Node[], kind: string): readonly Node[] {
  return documents.filter((document) => document['kind'] === kind)
}

/** The documents that create pods. */
export function workloadsOf(documents: readonly Node[]): readonly Node[] {
  return [...ofKind(documents, 'Deployment'), ...ofKind(documents, 'Job')]
}

export function podOf(workload: Node): Node {
  return nodeOf(at(workload, 'spec', 'template'))
}
