import { Badge } from '../../components/facts.tsx'

export function UserState({ active }: { readonly active: boolean }) {
  return <Badge tone={active ? 'good' : 'bad'}>{active ? 'active' : 'deactivated'}</Badge>
}
