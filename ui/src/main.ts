import { mount } from 'svelte';
import './styles/tokens.css';
import './styles/base.css';
import './styles/components.css';
import App from './App.svelte';
import { connect } from './lib/backend/backend';
import { toFault, store } from './lib/store.svelte';

const target = document.getElementById('app')!;
target.replaceChildren();
mount(App, { target });

connect()
  .then((backend) => store.start(backend))
  .catch((thrown: unknown) => (store.startFault = toFault(thrown)));
