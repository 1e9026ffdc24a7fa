import { Heading } from '../components/heading.tsx'
import { linkTo } from '../route.ts'

export function NotFound() {
  return (
    <>
      <Heading>Not found</Heading>
      <p>
        There is no such page. <a href={linkTo('')}>Overview</a>
      </p>
    </>
  )
}
