#!/usr/bin/env node
import { main } from '../dist/metadctl/main.js';

await main(process.argv.slice(2));
