import { render } from 'preact'
import { App } from './app.tsx'
import { ArrivedCode } from './arrived-code.ts'
import './style.css'

const root = document.getElementById('app')
if (root === null) throw new Error('the page has no element for the console')
render(<App arrivedCode={new ArrivedCode(location, history)} />, root)
