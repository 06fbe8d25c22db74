"""The programs that write the data tables of `rlpoet.phonology` and fit the weights of Spanish meter."""
