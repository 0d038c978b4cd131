package org.bank;

public record Point(int x, org.bank.model.Account account) {}
