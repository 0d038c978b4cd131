package org.bank;

import org.bank.model.Account;

public record Point(int x, Account account) {}
