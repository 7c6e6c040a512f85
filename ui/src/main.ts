import { mount } from 'svelte';
import './app.css';
import App from './App.svelte';
import { connect } from './lib/backend/backend';
import { asFault, store } from './lib/store.svelte';

mount(App, { target: document.getElementById('app')! });

connect()
  .then((backend) => store.start(backend))
  .catch((thrown: unknown) => (store.startFault = asFault(thrown)));
