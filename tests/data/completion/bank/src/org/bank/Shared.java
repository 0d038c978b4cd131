package org.bank;

class Shared extends Base {}
