import { render } from 'preact'
import { App } from './app.tsx'
import { ArrivedCode } from './hooks/arrived-code.ts'
import './style.css'

const root = document.getElementById('app')
if (root === null) throw new Error('the page has no element for the console')
const arrivedCode = new ArrivedCode()
const onAddress = () => arrivedCode.arrive(location, history)
onAddress()
// First of all listeners, and whatever is shown: no page is ever opened with the code in the address.
addEventListener('hashchange', onAddress)
render(<App arrivedCode={arrivedCode} />, root)
