s/if (c->strict) d->seq = 0;//
