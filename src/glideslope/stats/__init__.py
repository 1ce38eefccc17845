"""Deciding while looking: bets, counters, intervals and sample sizes. Pure, standard library only, bit for bit."""
