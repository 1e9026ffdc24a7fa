import { linkTo } from '../route.ts'

export function NotFound() {
  return (
    <>
      <h1>Not found</h1>
      <p>
        There is no such page. <a href={linkTo('')}>Overview</a>
      </p>
    </>
  )
}
