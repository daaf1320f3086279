package core

// CheckParameters says what is wrong with the module's parameters, a JSON object as Open takes it, without opening anything.
func CheckParameters(text []byte) error {
	_, err := parseParameters(text)
	return err
}
